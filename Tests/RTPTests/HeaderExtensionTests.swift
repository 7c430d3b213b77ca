import Bytes
import RTP
import TestSupport
import Testing

@Suite struct HeaderExtensionTests {
    private func packet(_ profile: String, _ block: String) -> [UInt8] {
        let data = hex(block)
        return hex("90 60 0001 00000002 00000003" + profile) + [0, UInt8(data.count / 4)] + data + [0xEE]
    }

    private func elements(_ bytes: [UInt8]) throws -> [UInt8: [UInt8]] {
        let header = try RTPHeader(parsing: bytes.rawSpan)
        var reader = HeaderExtensionReader(header, of: bytes.rawSpan)
        var found: [UInt8: [UInt8]] = [:]
        while let (id, range) = try reader.next() { found[id] = Array(bytes[range]) }
        return found
    }

    private func fullMap(from first: UInt8) -> HeaderExtensionMap {
        var map = HeaderExtensionMap()
        for kind in HeaderExtensionKind.allCases { map[kind] = first + kind.rawValue }
        return map
    }

    private var allValues: HeaderExtensionValues {
        var values = HeaderExtensionValues()
        values.mid = InlineBytes("0")
        values.streamID = InlineBytes("q")
        values.repairedStreamID = InlineBytes("sixteen bytes ok")
        values.audioLevel = .init(level: 33, isVoice: true)
        values.transportSequence = 0xFFFE
        values.absoluteSendTime = 0xABCDEF
        values.absoluteCaptureTime = NTPTime(rawValue: 0x0102_0304_0506_0708)
        values.playoutDelay = .init(min10ms: 0, max10ms: 0xFFF)
        return values
    }

    @Test("one-byte elements carry length minus one, padding between them is passed over")
    func oneByte() throws {
        // The example of RFC 8285 section 4.2: lengths 1, 2, two bytes of padding, 4.
        let found = try elements(packet("BEDE", "10AA 21BBBB 0000 33CCCCCCCC"))
        #expect(found == [1: [0xAA], 2: [0xBB, 0xBB], 3: [0xCC, 0xCC, 0xCC, 0xCC]])
    }

    @Test("two-byte elements may be empty and have any id", arguments: ["1000", "100F"])
    func twoByte(profile: String) throws {
        // As in the example of RFC 8285 section 4.3: lengths 0, 1, one byte of padding, 4.
        let found = try elements(packet(profile, "0100 0201BB 00 FF04CCCCCCCC 00"))
        #expect(found == [1: [], 2: [0xBB], 255: [0xCC, 0xCC, 0xCC, 0xCC]])
    }

    @Test("id 15 ends the one-byte walk")
    func reservedID() throws { #expect(try elements(packet("BEDE", "10AA F0BB 20CC 0000")) == [1: [0xAA]]) }

    @Test("a block of another profile has no elements")
    func otherProfile() throws { #expect(try elements(packet("ABAC", "10AA 0000")).isEmpty) }

    @Test(
        "an element that leaves its block is refused",
        arguments: [
            ("BEDE", "00 0000 10"), ("BEDE", "10AA 2FBB"),
            ("1000", "000000 01"), ("1000", "0102 AAAA 0201 BB 03"), ("1000", "01FF AABB"),
        ])
    func overrun(profile: String, block: String) {
        let bytes = packet(profile, block)
        #expect(throws: RTPError.self) { try elements(bytes) }
    }

    @Test("all values survive writing and reading in both forms", arguments: [1, 14, 200] as [UInt8])
    func roundTrip(firstID: UInt8) throws {
        let map = firstID == 14 ? fullMap(from: 16) : fullMap(from: firstID)
        let header = RTPHeader(marker: false, payloadType: 1, sequenceNumber: 2, timestamp: 3, ssrc: 4)
        let bytes = written {
            header.write(hasExtension: true, into: &$0)
            allValues.write(map: map, into: &$0)
        }
        #expect(bytes.count == 12 + allValues.encodedByteCount(map: map))
        #expect(bytes.count % 4 == 0)
        let packet = try ParsedPacket(bytes, map: map)
        #expect(packet.header.extensionProfile == (firstID == 1 ? 0xBEDE : 0x1000))
        #expect(packet.extensions == allValues)
        #expect(packet.payload.isEmpty)
    }

    @Test(
        "a dependency descriptor is written as it was read, and a long one makes the form one of two bytes",
        arguments: [(1, 0xBEDE), (16, 0xBEDE), (17, 0x1000), (255, 0x1000)] as [(Int, UInt16)])
    func descriptor(count: Int, profile: UInt16) throws {
        let map = fullMap(from: 1)
        let descriptor = (0..<count).map { UInt8(truncatingIfNeeded: $0 + 1) }
        let header = RTPHeader(marker: false, payloadType: 1, sequenceNumber: 2, timestamp: 3, ssrc: 4)
        let bytes = written {
            header.write(hasExtension: true, into: &$0)
            allValues.write(map: map, descriptor: descriptor.rawSpan, into: &$0)
        }
        #expect(bytes.count == 12 + allValues.encodedByteCount(map: map, descriptorCount: count))
        let packet = try ParsedPacket(bytes, map: map)
        #expect(packet.header.extensionProfile == profile && packet.extensions == allValues)
        #expect(try elements(bytes)[HeaderExtensionKind.dependencyDescriptor.rawValue + 1] == descriptor)
    }

    @Test("values without an id are not written, and nothing at all without any")
    func partialMap() throws {
        var map = HeaderExtensionMap()
        #expect(written { allValues.write(map: map, into: &$0) }.isEmpty)
        map[.mid] = 3
        #expect(written { allValues.write(map: map, into: &$0) } == hex("BEDE0001 3030 0000"))
    }

    @Test("known values of a wrong size are passed over")
    func wrongSizes() throws {
        let bytes = packet("1000", "0100 0402FFFF 0501FF 0602FFFF 0704FFFFFFFF 0800 000000")
        let values = try ParsedPacket(bytes, map: fullMap(from: 1)).extensions
        #expect(values == HeaderExtensionValues())
    }

    @Test("the longer capture time gives its first half")
    func longCaptureTime() throws {
        let bytes = packet("BEDE", "7F 0102030405060708 1112131415161718 000000")
        let values = try ParsedPacket(bytes, map: fullMap(from: 1)).extensions
        #expect(values.absoluteCaptureTime == NTPTime(rawValue: 0x0102_0304_0506_0708))
    }

    @Test("ids 0 and 15 are not negotiable, the others map both ways")
    func map() {
        var map = HeaderExtensionMap()
        map[.mid] = 15
        #expect(map[.mid] == nil && map.isEmpty)
        map[.mid] = 255
        map[.playoutDelay] = 1
        #expect(map.kind(of: 255) == .mid && map.kind(of: 1) == .playoutDelay && map.kind(of: 0) == nil)
        map[.mid] = nil
        #expect(map[.mid] == nil && map[.playoutDelay] == 1)
    }

    @Test("each kind is found by its own URI")
    func uris() {
        for kind in HeaderExtensionKind.allCases { #expect(HeaderExtensionKind(uri: kind.uri) == kind) }
        #expect(HeaderExtensionKind(uri: "urn:ietf:params:rtp-hdrext:toffset") == nil)
    }

    @Test("send time is the NTP time in 6.18 bits")
    func sendTime() {
        // 65.25 s: whole seconds wrap at 64.
        let time = NTPTime(rawValue: 65 << 32 | 0x4000_0000)
        #expect(HeaderExtensionValues.sendTime24(time) == 1 << 18 | 1 << 16)
    }
}

@Suite struct InlineBytesTests {
    @Test("bytes come back in order, up to sixteen", arguments: 0...16)
    func roundTrip(count: Int) throws {
        let bytes = (0..<count).map { UInt8($0 * 15) }
        let inline = try #require({ InlineBytes(bytes.rawSpan) }())
        #expect(inline.count == count)
        #expect((0..<count).map { inline[$0] } == bytes)
        #expect(written { inline.write(into: &$0) } == bytes)
    }

    @Test("seventeen bytes do not fit")
    func tooMany() {
        #expect(InlineBytes([UInt8](repeating: 0, count: 17).rawSpan) == nil)
        #expect(InlineBytes("seventeen letters") == nil)
        #expect(InlineBytes("sixteen letters!")?.text == "sixteen letters!")
    }
}
