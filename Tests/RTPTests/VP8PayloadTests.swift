import Bytes
import RTP
import TestSupport
import Testing

@Suite struct VP8DescriptorTests {
    @Test("the first byte alone is a descriptor")
    func minimal() throws {
        let descriptor = try VP8Descriptor(parsing: [0x35].rawSpan)
        #expect(descriptor.byteCount == 1)
        #expect(descriptor.isNonReference && descriptor.startsPartition && descriptor.partition == 5)
        #expect(!descriptor.startsFrame)
    }

    @Test(
        "each extension has its own size",
        arguments: [
            ("9000", 2, nil, nil), ("908011", 3, 0x11, nil), ("9080 9234", 4, 0x1234, nil), ("9040FF", 3, nil, nil),
            ("9020C0", 3, nil, 3), ("9010FF", 3, nil, nil), ("90F0 8001 05 7F", 6, 1, 1),
        ] as [(String, Int, UInt16?, UInt8?)])
    func extensions(text: String, count: Int, pictureID: UInt16?, layer: UInt8?) throws {
        let bytes = hex(text)
        let descriptor = try VP8Descriptor(parsing: bytes.rawSpan)
        #expect(descriptor.byteCount == count && descriptor.startsFrame)
        #expect(descriptor.pictureID == pictureID && descriptor.temporalLayer == layer)
        for short in 0..<count {
            let part = Array(bytes[..<short])
            #expect(throws: RTPError.self) { try VP8Descriptor(parsing: part.rawSpan) }
        }
    }
}

@Suite struct VP8PacketizerTests {
    @Test("each packet has a 15-bit picture id, the first starts the partition, the last has the marker")
    func packets() throws {
        let bytes = (0..<150).map { UInt8($0) }
        let frame = try videoFrame(bytes, as: .vp8(VP8PictureID(0x1234)), maxPayloadBytes: 64)
        let parts = payloads(of: frame)
        #expect(parts.map { Array($0[..<4]) } == [hex("90809234"), hex("80809234"), hex("80809234")])
        #expect(parts.flatMap { $0[4...] } == bytes)
        #expect(parts.map(\.count) == [54, 54, 54])
        #expect(frame.fragments.map(\.marker) == [false, false, true])
    }

    @Test("an empty frame has no packets")
    func empty() throws { #expect(try videoFrame([], as: .vp8(VP8PictureID(0))).fragments.isEmpty) }

    @Test("picture ids count on and wrap at 15 bits")
    func pictureIDs() {
        var id = VP8PictureID(0xFFFE)
        #expect((0..<3).map { _ in id.next().value } == [0x7FFE, 0x7FFF, 0])
    }
}

@Suite struct VP8DepacketizerTests {
    private func unpack(
        _ packets: [(payload: [UInt8], sequence: UInt16, timestamp: UInt32, marker: Bool)], maxFrameBytes: Int = 100_000
    ) -> (frames: [DepacketizedFrame], errors: [RTPError]) {
        var depacketizer = VP8Depacketizer(maxFrameBytes: maxFrameBytes)
        var frames: [DepacketizedFrame] = []
        var errors: [RTPError] = []
        for packet in packets {
            let place = DepacketizerInput(
                sequenceNumber: packet.sequence, timestamp: packet.timestamp, marker: packet.marker)
            do throws(RTPError) { try depacketizer.receive(packet.payload.rawSpan, place) } catch {
                errors.append(error)
            }
            while let frame = depacketizer.pollFrame() { frames.append(frame) }
        }
        return (frames, errors)
    }

    @Test("frames survive both ways, and each single loss costs one frame")
    func roundTripAndLoss() throws {
        var id = VP8PictureID(0x7FFF)
        let contents = (0..<3).map { index in [UInt8](repeating: UInt8(index), count: 150 + index) }
        var all: [(payload: [UInt8], sequence: UInt16, timestamp: UInt32, marker: Bool)] = []
        for (index, content) in contents.enumerated() {
            let frame = try videoFrame(content, as: .vp8(id.next()), maxPayloadBytes: 64)
            for (payload, fragment) in zip(payloads(of: frame), frame.fragments) {
                all.append((payload, 65_534 &+ UInt16(all.count), UInt32(index), fragment.marker))
            }
        }
        let whole = unpack(all)
        #expect(whole.frames.map { $0.payload.copied() } == contents)
        #expect(whole.frames.map(\.isKey) == [true, false, true])
        for lost in all.indices {
            var rest = all
            rest.remove(at: lost)
            var expected = contents
            expected.remove(at: lost / 3)
            let result = unpack(rest)
            #expect(result.frames.map { $0.payload.copied() } == expected, "packet \(lost)")
            if lost / 3 < 2 { #expect(result.frames.map(\.followsLoss).firstIndex(of: true) == lost / 3) }
        }
    }

    @Test("without a marker the next start ends a frame")
    func noMarker() {
        let result = unpack([([0x10, 1], 1, 1, false), ([0x10, 2], 2, 2, true)])
        #expect(result.frames.map { $0.payload.copied() } == [[1], [2]])
    }

    @Test(
        "a payload without a descriptor or without data is refused",
        arguments: [[0x90], [0x10], [0x90, 0x80, 1]] as [[UInt8]])
    func malformed(payload: [UInt8]) {
        let result = unpack([(payload, 1, 1, true), ([0x10, 2], 2, 2, true)])
        #expect(result.errors.count == 1)
        #expect(result.frames.map { $0.payload.copied() } == [[2]])
        #expect(result.frames.map(\.followsLoss) == [true])
    }

    @Test("padding in front of and inside a frame does no harm")
    func padding() {
        let result = unpack([
            ([], 1, 0, false), ([0x10, 0, 1], 2, 2, false), ([], 3, 2, false), ([0, 2], 4, 2, true), ([], 5, 2, false),
        ])
        #expect(result.errors.isEmpty)
        #expect(result.frames.map { $0.payload.copied() } == [[0, 1, 2]])
        #expect(result.frames.map(\.isKey) == [true])
    }

    @Test("picture ids that count on, wrapped or not, show that a lost packet was no media")
    func forgivenLoss() {
        for ids: (UInt8, UInt8) in [(5, 6), (0x7F, 0)] {
            let result = unpack([
                ([0x90, 0x80, ids.0, 1, 1], 1, 1, true), ([0x90, 0x80, ids.1, 1, 2], 3, 2, true),
                ([0x90, 0x80, ids.1 + 2, 1, 3], 5, 3, true),
            ])
            #expect(result.frames.map(\.followsLoss) == [false, false, true])
        }
        let long = unpack([
            ([0x90, 0x80, 0xFF, 0xFF, 1, 1], 1, 1, true), ([0x90, 0x80, 0x80, 0, 1, 2], 3, 2, true),
        ])
        #expect(long.frames.map(\.followsLoss) == [false, false])
    }

    @Test("a frame that lost a packet is not forgiven by the next picture id")
    func brokenFrame() {
        let result = unpack([
            ([0x90, 0x80, 1, 1, 1], 1, 1, true), ([0x90, 0x80, 2, 1, 1], 2, 2, false),
            ([0x90, 0x80, 3, 1, 2], 4, 3, true),
        ])
        #expect(result.frames.map(\.followsLoss) == [false, true])
    }

    @Test("a frame of the largest size passes, one byte more does not")
    func limit() {
        let fits = unpack([([0x10] + [UInt8](repeating: 1, count: 9), 1, 1, true)], maxFrameBytes: 9)
        #expect(fits.frames.count == 1)
        let over = unpack([([0x10] + [UInt8](repeating: 1, count: 10), 1, 1, true)], maxFrameBytes: 9)
        #expect(over.frames.isEmpty && over.errors == [.overLimit])
    }
}

@Suite struct OpusPayloadTests {
    @Test("a packet is one payload without a marker")
    func packet() throws {
        let frame = try audioFrame([1, 2, 3])
        #expect(payloads(of: frame) == [[1, 2, 3]])
        #expect(frame.fragments.map(\.marker) == [false])
    }

    @Test("an empty packet is not sent, one that fits no datagram is refused")
    func bounds() throws {
        #expect(try audioFrame([]).fragments.isEmpty)
        #expect(try audioFrame([UInt8](repeating: 0, count: RTPLimits.maxPayloadBytes)).fragments.count == 1)
        let long = [UInt8](repeating: 0, count: RTPLimits.maxPayloadBytes + 1)
        #expect(throws: RTPError.overLimit) { try audioFrame(long) }
    }
}
