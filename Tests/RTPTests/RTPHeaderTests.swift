import Bytes
import RTP
import TestSupport
import Testing

@Suite struct RTPHeaderTests {
    static let plain = hex("80 E0 1234 89ABCDEF 01020304 AA BB")

    @Test("fixed fields are read from their bits")
    func fields() throws {
        let packet = try ParsedPacket(Self.plain)
        #expect(packet.header.marker)
        #expect(packet.header.payloadType == 96)
        #expect(packet.header.sequenceNumber == 0x1234)
        #expect(packet.header.timestamp == 0x89AB_CDEF)
        #expect(packet.header.ssrc == 0x0102_0304)
        #expect(packet.header.extensionProfile == nil)
        #expect(packet.payload == [0xAA, 0xBB])
    }

    @Test("writing and reading are inverse", arguments: [true, false])
    func roundTrip(marker: Bool) throws {
        let header = RTPHeader(marker: marker, payloadType: 127, sequenceNumber: 65_535, timestamp: .max, ssrc: 7)
        let bytes = written { header.write(hasExtension: false, into: &$0) }
        var parsed = try RTPHeader(parsing: bytes.rawSpan)
        #expect(parsed.payloadRange == 12..<12)
        parsed = RTPHeader(
            marker: parsed.marker, payloadType: parsed.payloadType, sequenceNumber: parsed.sequenceNumber,
            timestamp: parsed.timestamp, ssrc: parsed.ssrc)
        #expect(parsed == header)
    }

    @Test("contributing sources, extension and padding are cut off the payload")
    func allParts() throws {
        let bytes = hex("B2 60 0001 00000002 00000003 0000000A 0000000B BEDE0001 10FF0000 CAFE 000003")
        let packet = try ParsedPacket(bytes)
        #expect(packet.header.extensionProfile == 0xBEDE)
        #expect(packet.header.extensionRange == 24..<28)
        #expect(packet.header.paddingCount == 3)
        #expect(packet.payload == [0xCA, 0xFE])
    }

    @Test("every truncation inside header, sources and extension is refused")
    func truncations() {
        let bytes = hex("92 60 0001 00000002 00000003 0000000A 0000000B BEDE0001 10FF0000")
        for count in 0..<bytes.count {
            let short = Array(bytes[..<count])
            #expect(throws: RTPError.self, "\(count) bytes") { try RTPHeader(parsing: short.rawSpan) }
        }
        #expect(throws: Never.self) { try RTPHeader(parsing: bytes.rawSpan) }
    }

    @Test("padding may fill the payload, no more, and never be zero", arguments: [0, 1, 2, 3, 4, 255] as [UInt8])
    func padding(count: UInt8) {
        let bytes = hex("A0 60 0001 00000002 00000003 0000") + [count]
        if (1...3).contains(count) {
            #expect((try? RTPHeader(parsing: bytes.rawSpan))?.payloadRange == 12..<15 - Int(count))
        } else {
            #expect(throws: RTPError.badPadding) { try RTPHeader(parsing: bytes.rawSpan) }
        }
    }

    @Test("the padding bit without any byte behind the header is refused")
    func paddingOfNothing() {
        let bytes = hex("A0 60 0001 00000002 00000003")
        #expect(throws: RTPError.badPadding) { try RTPHeader(parsing: bytes.rawSpan) }
    }

    @Test("padding cannot reach into the extension")
    func paddingIntoExtension() {
        let bytes = hex("B0 60 0001 00000002 00000003 BEDE0001 10FF0001")
        #expect(throws: RTPError.badPadding) { try RTPHeader(parsing: bytes.rawSpan) }
    }

    @Test("any version but 2 is refused", arguments: [0, 1, 3] as [UInt8])
    func version(version: UInt8) {
        var bytes = Self.plain
        bytes[0] = version << 6
        #expect(throws: RTPError.badVersion(version)) { try RTPHeader(parsing: bytes.rawSpan) }
    }

    @Test("an extension longer than the packet is refused", arguments: [1, 2, 0x3FFF, 0xFFFF] as [UInt16])
    func extensionLength(words: UInt16) {
        let bytes = hex("90 60 0001 00000002 00000003 BEDE") + [UInt8(words >> 8), UInt8(words & 0xFF), 0, 0, 0]
        #expect(throws: RTPError.truncated(offset: 12)) { try RTPHeader(parsing: bytes.rawSpan) }
    }
}
