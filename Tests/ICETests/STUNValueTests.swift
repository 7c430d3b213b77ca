import Bytes
import ICE
import TestSupport
import Testing

@Suite struct STUNValueTests {
    @Test(
        "addresses survive writing and reading",
        arguments: ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff:ffff::ffff"])
    func addressRoundTrip(host: String) throws {
        for attribute in [STUNAttribute.xorMappedAddress, .xorPeerAddress, .xorRelayedAddress] {
            for port: UInt16 in [0, 1, 0x2112, 65_535] {
                let bytes = makeMessage { $0.append(attribute, xor: address(host, port), to: &$1) }
                #expect(try read(bytes) { m throws(ICEError) in try m.xorAddress(attribute) } == address(host, port))
            }
        }
    }

    @Test("addresses of every wrong length or family are refused and never read past their end")
    func badAddresses() {
        for family: UInt8 in 0...3 {
            for length in 0...24 {
                var value = [UInt8](repeating: 0, count: length)
                if length > 1 { value[1] = family }
                let bytes = makeMessage { $0.append(.xorMappedAddress, value.rawSpan, to: &$1) }
                let isGood = (family, length) == (1, 8) || (family, length) == (2, 20)
                let error = readError(bytes) { m throws(ICEError) in try m.xorAddress(.xorMappedAddress) }
                #expect(error == (isGood ? nil : .malformedAttribute(.xorMappedAddress)))
            }
        }
    }

    @Test("integers of another length are refused")
    func integerLengths() {
        for length in 0...12 {
            let value = [UInt8](repeating: 1, count: length)
            let bytes = makeMessage { writer, output in
                for attribute in [STUNAttribute.channelNumber, .lifetime, .iceControlling] {
                    writer.append(attribute, value.rawSpan, to: &output)
                }
            }
            let short = readError(bytes) { m throws(ICEError) in try m.uint16(.channelNumber) }
            let middle = readError(bytes) { m throws(ICEError) in try m.uint32(.lifetime) }
            let long = readError(bytes) { m throws(ICEError) in try m.uint64(.iceControlling) }
            #expect(short == (length == 4 ? nil : .malformedAttribute(.channelNumber)))
            #expect(middle == (length == 4 ? nil : .malformedAttribute(.lifetime)))
            #expect(long == (length == 8 ? nil : .malformedAttribute(.iceControlling)))
        }
    }

    @Test("channel numbers are the upper half of their word")
    func channelNumber() throws {
        let bytes = makeMessage(.channelBind) { $0.append(.channelNumber, 0x4001_0000 as UInt32, to: &$1) }
        #expect(try read(bytes) { m throws(ICEError) in try m.uint16(.channelNumber) } == 0x4001)
    }

    @Test("error codes survive writing and reading", arguments: [300, 400, 401, 420, 487, 500, 699])
    func errorCodes(code: Int) throws {
        let bytes = makeMessage(.binding, .error) { $0.append(errorCode: code, to: &$1) }
        #expect(try read(bytes) { m throws(ICEError) in try m.errorCode() } == code)
    }

    @Test(
        "error codes outside of 300 to 699 are refused",
        arguments: [[0, 0, 2, 0], [0, 0, 7, 0], [0, 0, 4, 100], [0, 0, 4, 255], [0, 0, 4]] as [[UInt8]])
    func badErrorCodes(value: [UInt8]) {
        let bytes = makeMessage(.binding, .error) { $0.append(.errorCode, value.rawSpan, to: &$1) }
        #expect(readError(bytes) { m throws(ICEError) in try m.errorCode() } == .malformedAttribute(.errorCode))
    }

    @Test("bytes of every length are padded to words and read back without padding", arguments: 0...9)
    func padding(count: Int) throws {
        let value = [UInt8](repeating: 0xAB, count: count)
        let bytes = makeMessage { $0.append(.data, value.rawSpan, to: &$1) }
        #expect(bytes.count == 24 + (count + 3) / 4 * 4)
        #expect(try read(bytes) { $0.copiedBytes(.data) } == value)
    }

    @Test("a message behind other bytes in the same output is as if alone")
    func writingBehind() {
        let alone = makeMessage(key: [1], fingerprint: true) { $0.append(username: [0x61], [0x62], to: &$1) }
        let behind = captureOutput { output in
            output.append(bigEndian: 0xFFFF as UInt16)
            let writer = STUNWriter(.binding, .request, transactionID: RFC5769.transactionID, into: &output)
            writer.append(username: [0x61], [0x62], to: &output)
            writer.finish(integrityKey: [1], fingerprint: true, hmac: testHMAC, to: &output)
        }.bytes
        #expect(behind == [0xFF, 0xFF] + alone)
    }

    @Test("what is written with integrity and fingerprint verifies")
    func writeVerify() throws {
        let bytes = makeMessage(key: RFC5769.password, fingerprint: true) { writer, output in
            writer.append(username: Array("evtj".utf8), Array("h6vY".utf8), to: &output)
            writer.append(flag: .useCandidate, to: &output)
            writer.append(unknown: [.data, .nonce, .realm], to: &output)
        }
        #expect(verifyError(bytes, key: RFC5769.password) == nil)
        #expect(try read(bytes) { $0.copiedBytes(.username) } == Array("evtj:h6vY".utf8))
        #expect(try read(bytes) { $0.copiedBytes(.unknownAttributes) } == [0, 0x13, 0, 0x15, 0, 0x14])
        #expect(try read(bytes) { $0.has(.useCandidate) })
    }
}
