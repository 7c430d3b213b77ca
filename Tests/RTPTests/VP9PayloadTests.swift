import Bytes
import Media
import RTP
import TestSupport
import Testing

/// 70x50.
private let key = hex("8249834200045003156038241c184a0001f07cb17beaff3f")
/// Frame marker 2, profile 0, no key frame, shown.
private let delta: [UInt8] = [0x86, 1, 2, 3]

private func flags(
    predicted: Bool = false, layers: Bool = false, flexible: Bool = false, start: Bool = true, end: Bool = true,
    structure: Bool = false
) -> UInt8 {
    (predicted ? 0x40 : 0) | (layers ? 0x20 : 0) | (flexible ? 0x10 : 0) | (start ? 8 : 0) | (end ? 4 : 0)
        | (structure ? 2 : 0)
}

@Suite struct VP9DescriptorTests {
    @Test("the first byte alone is a descriptor")
    func minimal() throws {
        let descriptor = try VP9Descriptor(parsing: [0x0C].rawSpan)
        #expect(descriptor.byteCount == 1 && descriptor.startsFrame && descriptor.endsFrame)
        #expect(descriptor.startsKeyPicture && descriptor.pictureID == nil)
    }

    @Test(
        "each part has its own size, and every truncation is refused",
        arguments: [
            ("8011", 2, 0x11, 0, 0), ("809234", 3, 0x1234, 0, 0),
            // Layer indices, non-flexible: temporal 2, spatial 1, with TL0PICIDX.
            ("2042FF", 3, nil, 2, 1),
            // Flexible: no TL0PICIDX.
            ("3047", 2, nil, 2, 3),
            // Flexible and predicted: one to three differences.
            ("5002", 2, nil, 0, 0), ("500302", 3, nil, 0, 0), ("50030302", 4, nil, 0, 0),
            // Scalability structures: sizes of three layers; a group of two pictures; both.
            ("0250014000F0028001E0050002D0", 14, nil, 0, 0), ("020802000411", 6, nil, 0, 0),
            ("0218014000B401180506", 10, nil, 0, 0),
        ] as [(String, Int, UInt16?, UInt8, UInt8)])
    func parts(text: String, count: Int, pictureID: UInt16?, temporal: UInt8, spatial: UInt8) throws {
        let bytes = hex(text)
        let descriptor = try VP9Descriptor(parsing: bytes.rawSpan)
        #expect(descriptor.byteCount == count)
        #expect(descriptor.pictureID == pictureID)
        #expect(descriptor.temporalLayer == temporal && descriptor.spatialLayer == spatial)
        for short in 0..<count {
            let part = Array(bytes[..<short])
            #expect(throws: RTPError.self) { try VP9Descriptor(parsing: part.rawSpan) }
        }
    }

    @Test("a scalability structure tells the largest size; a fourth reference is refused")
    func structure() throws {
        let sizes = hex("0250014000F0028001E0050002D0")
        #expect(try VP9Descriptor(parsing: sizes.rawSpan).size == VideoSize(width: 1_280, height: 720))
        #expect(throws: RTPError.self) { try VP9Descriptor(parsing: hex("5003030300").rawSpan) }
    }
}

@Suite struct VP9PayloadTests {
    @Test("pictures survive both ways at any packet size", arguments: [64, 65, 67, 500, RTPLimits.maxPayloadBytes])
    func roundTrip(maxPayloadBytes: Int) throws {
        var id = VP9PictureID(0x7FFF)
        let contents = [key + [UInt8](repeating: 7, count: 3_000), delta, delta + [UInt8](repeating: 1, count: 61)]
        let frames = try contents.enumerated().map { index, content in
            try videoFrame(content, as: .vp9(id.next()), isKey: index == 0, maxPayloadBytes: maxPayloadBytes)
        }
        let packets = placed(frames)
        #expect(packets.allSatisfy { $0.payload.count <= maxPayloadBytes })
        let result = unpack(.video(.vp9), packets)
        #expect(result.errors.isEmpty)
        #expect(result.payloads == contents)
        #expect(result.keys == [true, false, false])
        #expect(result.losses == [false, false, false])
    }

    @Test("each packet has a 15-bit picture id; start, end and prediction are told")
    func packets() throws {
        let frame = try videoFrame(
            [UInt8](repeating: 0x86, count: 150), as: .vp9(VP9PictureID(0x1234)), maxPayloadBytes: 64)
        let parts = payloads(of: frame)
        #expect(parts.map { Array($0[..<3]) } == [hex("C89234"), hex("C09234"), hex("C49234")])
        let keyFrame = try videoFrame(key, as: .vp9(VP9PictureID(1)), isKey: true)
        #expect(payloads(of: keyFrame) == [hex("8C8001") + key])
        #expect(try videoFrame([], as: .vp9(VP9PictureID(0))).fragments.isEmpty)
    }

    @Test("each single lost packet costs its picture, and the next says so")
    func everyLoss() throws {
        var id = VP9PictureID(9)
        let contents = (0..<4).map { delta + [UInt8](repeating: UInt8($0), count: 150) }
        let all = placed(try contents.map { try videoFrame($0, as: .vp9(id.next()), maxPayloadBytes: 64) })
        for lost in all.indices {
            let result = unpack(.video(.vp9), all.without(lost))
            var expected = contents
            expected.remove(at: lost / 3)
            #expect(result.payloads == expected, "packet \(lost)")
            if lost / 3 < 3 { #expect(result.losses.firstIndex(of: true) == lost / 3) }
        }
    }

    /// Layer frames of one picture, each in one packet, with the picture's id and layer indices.
    private func picture(
        _ layers: [[UInt8]], id: UInt8, from sequence: UInt16, timestamp: UInt32, predicted: Bool = false
    ) -> [PlacedPayload] {
        layers.enumerated().map { layer, bytes in
            let first = 0x80 | flags(predicted: predicted, layers: true)
            let head: [UInt8] = [first, id, UInt8(layer) << 1 | (layer > 0 ? 1 : 0), 5]
            return PlacedPayload(
                head + bytes, sequence + UInt16(layer), timestamp, marker: layer == layers.count - 1)
        }
    }

    @Test("the layers of a picture are joined, with an index that tells their sizes")
    func spatialLayers() {
        let upper = delta + [UInt8](repeating: 3, count: 300)
        let packets =
            picture([key, delta, upper], id: 1, from: 1, timestamp: 0)
            + picture([delta], id: 2, from: 4, timestamp: 3_000, predicted: true)
        let result = unpack(.video(.vp9), packets)
        // Three frames (2), sizes of two bytes (1): 110 01 010.
        let index: [UInt8] = [0xCA, UInt8(key.count), 0, 4, 0, 0x30, 1, 0xCA]
        #expect(result.payloads == [key + delta + upper + index, delta])
        #expect(result.keys == [true, false])
        #expect(result.errors.isEmpty)
    }

    @Test("a lost layer costs the whole picture, whichever it was")
    func lostLayer() {
        let packets =
            picture([key, delta, delta], id: 1, from: 1, timestamp: 0)
            + picture([key, delta, delta], id: 2, from: 4, timestamp: 3_000)
            + picture([key], id: 3, from: 7, timestamp: 6_000)
        for lost in 3..<6 {
            let result = unpack(.video(.vp9), packets.without(lost))
            #expect(result.frames.map(\.timestamp) == [0, 6_000], "packet \(lost)")
            #expect(result.losses == [false, true])
        }
    }

    /// Layers that go on without each other (k-SVC), as far as they are in `present`.
    private func independent(
        _ present: [UInt8], id: UInt8, from sequence: UInt16, timestamp: UInt32
    ) -> [PlacedPayload] {
        present.enumerated().map { index, layer in
            let head: [UInt8] = [0x80 | flags(predicted: true, layers: true), id, layer << 1, 5]
            return PlacedPayload(
                head + delta + [layer], sequence + UInt16(index), timestamp, marker: index == present.count - 1)
        }
    }

    @Test("a picture may lack any layer that the others go on without, also the lowest")
    func withoutBaseLayer() {
        let packets =
            picture([key, delta, delta], id: 1, from: 1, timestamp: 0)
            + independent([1, 2], id: 2, from: 4, timestamp: 3_000)
            + independent([2], id: 3, from: 6, timestamp: 6_000)
            + independent([0, 2], id: 4, from: 7, timestamp: 9_000)
        let result = unpack(.video(.vp9), packets)
        #expect(result.frames.map(\.timestamp) == [0, 3_000, 6_000, 9_000])
        #expect(result.payloads[2] == delta + [2])
        #expect(result.losses == [false, false, false, false])
    }

    @Test("layers behind a loss begin no picture, nor do such as need a layer that is not there")
    func lostBaseLayer() {
        let start = picture([key, delta, delta], id: 1, from: 1, timestamp: 0)
        let lost = independent([0, 1, 2], id: 2, from: 4, timestamp: 3_000).without(0)
        let next = independent([1], id: 3, from: 7, timestamp: 6_000)
        let after = unpack(.video(.vp9), start + lost + next)
        #expect(after.frames.map(\.timestamp) == [0, 6_000])
        #expect(after.losses == [false, true])
        let needy = picture([delta, delta], id: 2, from: 3, timestamp: 3_000, predicted: true).without(0)
        let later = independent([1], id: 3, from: 5, timestamp: 6_000)
        #expect(unpack(.video(.vp9), start + needy + later).frames.map(\.timestamp) == [0, 6_000])
    }

    @Test("picture ids that count on show that a lost packet was no media")
    func forgiven() {
        let packets =
            picture([key], id: 0x7F, from: 1, timestamp: 0) + picture([delta], id: 0, from: 3, timestamp: 3_000)
            + picture([delta], id: 2, from: 5, timestamp: 6_000)
        #expect(unpack(.video(.vp9), packets).losses == [false, false, true])
    }

    @Test("a picture is a key frame by its own word too, where the descriptor never tells of prediction")
    func keyByHeader() {
        let packets = [
            PlacedPayload([0x0C] + key, 1, 0, marker: true), PlacedPayload([0x0C] + delta, 2, 3_000, marker: true),
            PlacedPayload([0x4C] + key, 3, 6_000, marker: true),
        ]
        #expect(unpack(.video(.vp9), packets).keys == [true, false, false])
    }

    @Test("without a marker the next start ends a picture")
    func noMarker() {
        let result = unpack(
            .video(.vp9), [PlacedPayload([0x0C] + delta, 1, 1), PlacedPayload([0x0C] + key, 2, 2, marker: true)])
        #expect(result.payloads == [delta, key])
    }

    @Test(
        "a payload without a start, or without data, is refused",
        arguments: [[0x0C], [0x8C, 0x80], [0x2C, 0], [0x4C | 0x10]] as [[UInt8]])
    func malformed(payload: [UInt8]) {
        let result = unpack(
            .video(.vp9), [PlacedPayload(payload, 1, 1, marker: true), PlacedPayload([0x0C] + key, 2, 2, marker: true)])
        #expect(result.errors.count == 1)
        #expect(result.payloads == [key] && result.losses == [true])
    }

    @Test("more layers than a superframe holds, and frames over their limit, are refused")
    func limits() {
        let many = (0..<9).map { PlacedPayload([0x0C] + delta, UInt16($0), 1, marker: $0 == 8) }
        let result = unpack(.video(.vp9), many)
        #expect(result.frames.isEmpty && result.errors.first == .overLimit)
        let over = unpack(.video(.vp9), [PlacedPayload([0x0C] + key, 1, marker: true)], maxFrameBytes: key.count - 1)
        #expect(over.frames.isEmpty && over.errors == [.overLimit])
    }
}
