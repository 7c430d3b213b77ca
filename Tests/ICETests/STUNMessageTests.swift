import Bytes
import ICE
import TestSupport
import Testing

@Suite struct STUNMessageTests {
    @Test("the sample request of RFC 5769 reads as printed there")
    func sampleRequest() throws {
        let bytes = RFC5769.request
        #expect(try read(bytes) { $0.method } == .binding)
        #expect(try read(bytes) { $0.messageClass } == .request)
        #expect(try read(bytes) { $0.transactionID } == RFC5769.transactionID)
        #expect(try read(bytes) { $0.copiedBytes(.software) } == Array("STUN test client".utf8))
        #expect(try read(bytes) { $0.copiedBytes(.username) } == Array("evtj:h6vY".utf8))
        #expect(try read(bytes) { m throws(ICEError) in try m.uint32(.priority) } == 0x6E00_01FF)
        #expect(try read(bytes) { m throws(ICEError) in try m.uint64(.iceControlled) } == 0x932F_F9B1_5126_3B36)
        #expect(try read(bytes) { m throws(ICEError) in try m.uint64(.iceControlling) } == nil)
        #expect(verifyError(bytes, key: RFC5769.password) == nil)
    }

    @Test("the sample responses of RFC 5769 give their addresses and pass both checks")
    func sampleResponses() throws {
        let expected = [
            (RFC5769.responseV4, address("192.0.2.1", 32_853)),
            (RFC5769.responseV6, address("2001:db8:1234:5678:11:2233:4455:6677", 32_853)),
        ]
        for (bytes, mapped) in expected {
            #expect(try read(bytes) { $0.messageClass } == .success)
            #expect(try read(bytes) { m throws(ICEError) in try m.xorAddress(.xorMappedAddress) } == mapped)
            #expect(verifyError(bytes, key: RFC5769.password) == nil)
        }
    }

    @Test("every single changed byte breaks parsing, integrity or fingerprint")
    func tampering() {
        for offset in RFC5769.request.indices {
            var bytes = RFC5769.request
            bytes[offset] ^= 0x01
            #expect(verifyError(bytes, key: RFC5769.password) != nil, "byte \(offset)")
        }
    }

    @Test("another password fails integrity")
    func wrongPassword() {
        #expect(verifyError(RFC5769.request, key: Array("VOkJxbRl1RmTxUk/WvJxBu".utf8)) == .badIntegrity)
    }

    @Test("every truncation is an error")
    func truncations() {
        for count in 0..<RFC5769.request.count {
            #expect(parseError(Array(RFC5769.request[..<count])) == .truncated, "\(count) bytes")
        }
    }

    @Test("every truncation with a length that fits it never reads past the end")
    func consistentTruncations() {
        for count in stride(from: 20, to: RFC5769.request.count, by: 4) {
            var bytes = Array(RFC5769.request[..<count])
            bytes[3] = UInt8(count - 20)
            // Cut between attributes it is a shorter message, inside of one it is truncated.
            let cuts = [20, 40, 48, 60, 76, 100]
            #expect(parseError(bytes) == (cuts.contains(count) ? nil : .truncated), "\(count) bytes")
        }
    }

    @Test(
        "a header that is not STUN is told apart",
        arguments: [(0, 0x40), (0, 0x80), (3, 0x57), (3, 0x59), (3, 0x54), (4, 0x20), (7, 0x43)] as [(Int, UInt8)])
    func notSTUN(offset: Int, value: UInt8) {
        var bytes = RFC5769.request
        bytes[offset] = value
        #expect(parseError(bytes) == .notSTUN)
    }

    @Test("bytes behind the announced length are no part of a message")
    func leftover() { #expect(parseError(RFC5769.request + [0, 0, 0, 0]) == .notSTUN) }

    @Test("attribute lengths 0, to the end and one past the end")
    func attributeLengths() {
        func message(_ length: UInt16) -> [UInt8] {
            hex("0001000c 2112a442 b7e7a701bc34d686fa87dfae 8022")
                + [UInt8(length >> 8), UInt8(length & 0xFF)] + [UInt8](repeating: 0, count: 8)
        }
        // Zero leaves eight bytes that read as two empty attributes of type 0.
        #expect(parseError(message(0)) == nil)
        #expect(parseError(message(5)) == nil)
        #expect(parseError(message(8)) == nil)
        #expect(parseError(message(9)) == .truncated)
        #expect(parseError(message(0xFFFF)) == .truncated)
    }

    @Test("the most attributes pass and one more does not")
    func attributeCount() {
        func message(_ count: Int) -> [UInt8] {
            makeMessage { writer, output in
                for _ in 0..<count { writer.append(flag: .software, to: &output) }
            }
        }
        #expect(parseError(message(ICELimits.attributes)) == nil)
        #expect(parseError(message(ICELimits.attributes + 1)) == .tooLarge)
    }

    @Test("the longest message passes and one word more does not")
    func messageLength() {
        func message(_ count: Int) -> [UInt8] {
            makeMessage { writer, output in
                writer.append(.software, [UInt8](repeating: 1, count: count - 24).rawSpan, to: &output)
            }
        }
        #expect(parseError(message(ICELimits.messageBytes)) == nil)
        #expect(parseError(message(ICELimits.messageBytes + 4)) == .tooLarge)
    }

    @Test("integrity of the longest message is checked in full")
    func longestIntegrity() throws {
        let bytes = makeMessage(key: [1, 2, 3]) { writer, output in
            writer.append(.software, [UInt8](repeating: 1, count: 1_452).rawSpan, to: &output)
        }
        #expect(bytes.count == ICELimits.messageBytes)
        #expect(verifyError(bytes, key: [1, 2, 3]) == .missingFingerprint)
        #expect(verifyError(bytes, key: [1, 2, 4]) == .badIntegrity)
    }

    @Test("integrity and fingerprint of a wrong length are refused")
    func fixedLengths() {
        let short = [UInt8](repeating: 0, count: 16)
        #expect(
            parseError(makeMessage { $0.append(.messageIntegrity, short.rawSpan, to: &$1) })
                == .malformedAttribute(.messageIntegrity))
        #expect(
            parseError(makeMessage { $0.append(.fingerprint, short.rawSpan, to: &$1) })
                == .malformedAttribute(.fingerprint))
    }

    @Test("nothing may follow a fingerprint")
    func fingerprintIsLast() {
        let bytes = makeMessage { writer, output in
            writer.append(.fingerprint, 1 as UInt32, to: &output)
            writer.append(.priority, 1 as UInt32, to: &output)
        }
        #expect(parseError(bytes) == .malformedAttribute(.fingerprint))
    }

    @Test("attributes behind the integrity are not seen")
    func unprotectedAttributes() throws {
        var bytes = makeMessage(key: [1]) { $0.append(.priority, 7 as UInt32, to: &$1) }
        bytes += hex("00250000")
        bytes[3] += 4
        #expect(verifyError(bytes, key: [1]) == .missingFingerprint)
        #expect(try read(bytes) { m throws(ICEError) in try m.uint32(.priority) } == 7)
        #expect(try !read(bytes) { $0.has(.useCandidate) })
    }

    @Test("of an attribute that occurs twice the first counts")
    func duplicates() throws {
        let bytes = makeMessage { writer, output in
            writer.append(.priority, 1 as UInt32, to: &output)
            writer.append(.priority, 2 as UInt32, to: &output)
        }
        #expect(try read(bytes) { m throws(ICEError) in try m.uint32(.priority) } == 1)
    }

    @Test("a message without integrity or fingerprint does not verify")
    func nothingToVerify() {
        #expect(verifyError(makeMessage(), key: []) == .missingIntegrity)
        #expect(readError(makeMessage()) { m throws(ICEError) in try m.verifyFingerprint() } == .missingFingerprint)
    }

    @Test("unknown attributes that must be understood are listed, up to the limit")
    func unknownAttributes() throws {
        let bytes = makeMessage { writer, output in
            writer.append(.networkCost, 0 as UInt32, to: &output)
            writer.append(.priority, 0 as UInt32, to: &output)
            for type in UInt16(0x7001)...0x7006 {
                writer.append(flag: STUNAttribute(rawValue: type), to: &output)
            }
        }
        let unknown = try read(bytes) { $0.unknownRequiredAttributes() }
        #expect(unknown.map(\.rawValue) == [0x7001, 0x7002, 0x7003, 0x7004])
    }

    @Test("method and class survive their interleaving", arguments: [0x000, 0x001, 0x009, 0x07F, 0x080, 0xFFF])
    func types(method: UInt16) throws {
        for messageClass in [STUNClass.request, .indication, .success, .error] {
            let bytes = makeMessage(STUNMethod(rawValue: method), messageClass)
            #expect(try read(bytes) { $0.method.rawValue } == method)
            #expect(try read(bytes) { $0.messageClass } == messageClass)
        }
    }
}
