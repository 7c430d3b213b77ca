import Bytes
import Media
import TestSupport
import Testing

@Suite struct NALUnitTests {
    private func annexB(_ bytes: [UInt8]) -> [[UInt8]] {
        var units = AnnexBUnits(bytes.rawSpan)
        var found: [[UInt8]] = []
        while let range = units.next() { found.append(Array(bytes[range])) }
        return found
    }

    private func prefixed(_ bytes: [UInt8], _ lengthSize: Int) throws(MediaError) -> [[UInt8]] {
        var units = LengthPrefixedUnits(bytes.rawSpan, lengthSize: lengthSize)
        var found: [[UInt8]] = []
        while let range = try units.next() { found.append(Array(bytes[range])) }
        return found
    }

    @Test("start codes of three and four bytes separate units")
    func startCodes() {
        #expect(annexB(hex("00000001 6742 000001 68ce 00000001 6588")) == [hex("6742"), hex("68ce"), hex("6588")])
    }

    @Test("bytes before the first start code, empty units and zeroes behind a unit are left out")
    func leftOut() {
        #expect(annexB(hex("ffff 000001 6500 0000 000001 000001 41 0000")) == [hex("65"), hex("41")])
    }

    @Test(
        "a byte stream without a unit has none",
        arguments: ["", "00", "0000", "000001", "00000001", "0000000001", "6742ff", "000002"])
    func none(_ text: String) {
        #expect(annexB(hex(text)) == [])
    }

    @Test("a start code is found at every position")
    func everyPosition() {
        for offset in 0..<12 {
            let bytes = [UInt8](repeating: 0xAA, count: offset) + [0, 0, 1, 0x65, 0x80]
            #expect(annexB(bytes) == [[0x65, 0x80]])
        }
    }

    @Test("zero runs and emulation bytes inside a unit are kept")
    func emulation() {
        #expect(annexB(hex("000001 65 0000 03 01 0002 ff")) == [hex("6500000301 0002ff")])
    }

    @Test("length-prefixed units come out for each length size", arguments: [1, 2, 4])
    func lengths(_ size: Int) throws {
        let pad = [UInt8](repeating: 0, count: size - 1)
        #expect(try prefixed(pad + [2, 0x67, 1] + pad + [0] + pad + [1, 0x68], size) == [[0x67, 1], [0x68]])
    }

    @Test("a length beyond the end throws and ends the walk")
    func tooLong() {
        #expect(throws: MediaError.truncated(offset: 3)) { try prefixed([0, 1, 0x65, 0, 2, 0x41], 2) }
        let bytes: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0x65]
        var units = LengthPrefixedUnits(bytes.rawSpan, lengthSize: 4)
        var threw = false
        do { _ = try units.next() } catch { threw = true }
        let after = try? units.next()
        #expect(threw && after == .some(nil))
    }

    @Test("every truncation of a length-prefixed frame throws, or ends between units")
    func truncations() throws {
        let whole = hex("00000002 6742 00000001 68")
        for count in 0..<whole.count {
            let cut = Array(whole[..<count])
            if count == 0 || count == 6 {
                #expect(try prefixed(cut, 4).count == (count == 0 ? 0 : 1))
            } else {
                #expect(throws: MediaError.self) { try prefixed(cut, 4) }
            }
        }
    }

    @Test("a byte stream becomes length-prefixed and comes back the same")
    func conversion() throws {
        let stream = hex("00000001 09f0 00000001 6742 00000001 658811")
        var writer = SlabWriter()
        NALUnitFraming.appendLengthPrefixed(annexB: stream.rawSpan, to: &writer) {
            H264NALUnitType(header: $0) == .accessUnitDelimiter
        }
        let converted = writer.seal()
        #expect(converted.copied() == hex("00000002 6742 00000003 658811"))
        var back = SlabWriter()
        try NALUnitFraming.appendAnnexB(lengthPrefixed: converted.bytes, lengthSize: 4, to: &back)
        #expect(back.seal().copied() == hex("00000001 6742 00000001 658811"))
    }

    @Test("types are read from the first byte of a unit")
    func types() {
        #expect(H264NALUnitType(header: 0x67) == .sequenceParameterSet)
        #expect(H264NALUnitType(header: 0x65).isVCL)
        #expect(!H264NALUnitType(header: 0x06).isVCL)
        #expect(HEVCNALUnitType(header: 0x42) == .sequenceParameterSet)
        #expect(HEVCNALUnitType(header: 0x2A).isRandomAccess)
        #expect(!HEVCNALUnitType(header: 0x02).isRandomAccess)
        #expect(HEVCNALUnitType(header: 0x02).isVCL)
        #expect(!HEVCNALUnitType(header: 0x4E).isVCL)
    }
}
