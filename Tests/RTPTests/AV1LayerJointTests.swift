import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A unit of a layer, with its extension and without its size.
private func unit(_ type: UInt8, layer: UInt8, _ count: Int = 4) -> [UInt8] {
    // A key frame, and what is made of it.
    [type << 3 | 4, layer << 3, layer == 0 ? 0x10 : 0x30] + [UInt8](repeating: 0xC0 | layer, count: count - 1)
}

/// 64x48, for all layers.
private let sequence = [0x08] + hex("20000002aff79b5f2404340080")

/// A packet of whole units: their number, and the last one without length.
private func packet(_ flags: UInt8, _ units: [[UInt8]]) -> [UInt8] {
    let head = units.dropLast().flatMap { [UInt8($0.count)] + $0 }
    return [flags | UInt8(units.count) << 4] + head + (units.last ?? [])
}

private func joined(_ payload: [UInt8], marker: Bool = false, descriptor: [UInt8]? = nil) -> [UInt8]? {
    AV1LayerJoint.joined(
        payload.rawSpan, marker: marker, descriptor: descriptor.map { SlabSlice(copying: $0) })?.copied()
}

/// Types and bodies, without padding.
private func units(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var walk = AV1Units(bytes.rawSpan)
    var units: [[UInt8]] = []
    while let unit = try walk.next() {
        if unit.type != AV1Units.UnitType.padding { units.append([unit.type] + bytes[unit.payload]) }
    }
    return units
}

/// What libwebrtc takes for frames: from a packet that begins with a whole unit to one that ends with one.
private func frames(_ payloads: [[UInt8]]) -> Int { payloads.count { $0[0] & 0x40 == 0 } }

@Suite("AV1 layers for viewers that read no descriptors") struct AV1LayerJointTests {
    private static let picture = [
        packet(0x08, [sequence, unit(6, layer: 0)]), packet(0x40, [unit(6, layer: 1)]), [0x90, 0xC1, 0xC1],
        packet(0, [unit(6, layer: 2)]),
    ]
    /// start_of_frame, end_of_frame.
    private static let flags: [UInt8] = [0xC0, 0x80, 0x40, 0xC0]

    @Test("a picture of three layers becomes one frame with the same units", arguments: [true, false])
    func whole(isDescribed: Bool) throws {
        let payloads = zip(Self.picture, Self.flags).enumerated().map { index, packet in
            joined(packet.0, marker: index == 3, descriptor: isDescribed ? [packet.1, 0, 1] : nil) ?? packet.0
        }
        #expect(frames(Self.picture) == 3 && frames(payloads) == 1)
        let results = [Self.picture, payloads].map { packets in
            unpack(
                .video(.av1),
                packets.enumerated().map { PlacedPayload($1, UInt16($0), marker: $0 == packets.count - 1) })
        }
        #expect(results.allSatisfy { $0.errors.isEmpty && $0.frames.count == 1 && $0.keys == [true] })
        #expect(try units(results[0].payloads[0]) == units(results[1].payloads[0]))
    }

    @Test("every packet tells by itself what it borders on")
    func borders() {
        let first = Self.picture[0]
        #expect(joined(first)?.prefix(1) == [0x48])
        #expect(joined(first)?.suffix(2) == [1, 0x78])
        #expect(joined(first, marker: true) == nil, "the only layer of its picture")
        #expect(joined(Self.picture[1])?.prefix(3) == [0xC0, 1, 0x80])
        #expect(joined(Self.picture[2])?.prefix(1) == [0xC0])
        #expect(joined(Self.picture[3], marker: true) == [0x80, 1, 0x80, 6] + unit(6, layer: 2))
    }

    @Test("descriptors tell what ends within a layer")
    func within() {
        #expect(joined(Self.picture[0], descriptor: [0x80, 0, 1]) == nil)
        #expect(joined(Self.picture[3], marker: true, descriptor: [0x40, 0, 1]) == nil)
        #expect(joined(Self.picture[0], descriptor: [0xC0, 0, 1]) != nil)
    }

    @Test(
        "fragments and what cannot be read stay as they are",
        arguments: [
            [], [0x10], [0xD0, 1, 2], [0x40, 9, 1], [0x00, 0x80, 0x80, 0x80], [0x30, 1, 0x0C, 1],
            [0x00, 2, 0x34, 0x08, 200],
        ] as [[UInt8]])
    func left(payload: [UInt8]) { #expect(joined(payload) == nil) }

    @Test("a picture cut short anywhere is rewritten or left, and no more")
    func truncations() {
        for payload in Self.picture {
            for count in 0..<payload.count {
                let cut = Array(payload.prefix(count))
                if let result = joined(cut) { #expect(result.count <= count + 8) }
            }
        }
    }

    @Test("a packet on its way keeps all but its payload")
    func forwarded() throws {
        let packet = ForwardedPacket(
            source: 1, sequenceNumber: 7, timestamp: 9, marker: false, payload: SlabSlice(copying: Self.picture[0]),
            pts: 5, beginsKeyFrame: true)
        let result = try #require(packet.withJoinedLayers)
        #expect(result.sequenceNumber == 7 && result.timestamp == 9 && !result.marker && result.beginsKeyFrame)
        #expect(result.payload.count == packet.payload.count + 3)
        let isKey = PacketInspector.beginsKeyFrame(result.payload.bytes, .av1)
        #expect(isKey)
        var last = packet
        last.marker = true
        #expect(last.withJoinedLayers == nil)
    }
}
