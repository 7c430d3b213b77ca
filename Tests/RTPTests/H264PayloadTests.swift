import Bytes
import RTP
import Testing

@Suite struct H264PacketizerTests {
    private let sps = nalUnit(0x67, count: 20)
    private let pps = nalUnit(0x68, count: 5)

    @Test("units that fit are sent as they are, the last one with the marker")
    func singleUnits() throws {
        let slice = nalUnit(0x65, count: 100)
        let frame = try videoFrame(annexB([sps, pps, slice]))
        #expect(payloads(of: frame) == [sps, pps, slice])
        #expect(frame.fragments.map(\.marker) == [false, false, true])
        #expect(frame.byteCount == 125)
    }

    @Test("both framings give the same packets", arguments: [2, 4])
    func framings(lengthSize: Int) throws {
        let units = [sps, pps, nalUnit(0x65, count: 3_000)]
        let one = try videoFrame(annexB(units))
        let other = try videoFrame(
            lengthPrefixed(units, size: lengthSize), as: .h264LengthPrefixed(lengthSize: lengthSize))
        #expect(payloads(of: one) == payloads(of: other))
    }

    @Test("a unit one byte too large becomes two fragments of equal size")
    func fragments() throws {
        let unit = nalUnit(0x65, count: RTPLimits.maxPayloadBytes + 1)
        let frame = try videoFrame(annexB([unit]), isKey: true)
        let parts = payloads(of: frame)
        #expect(parts.count == 2)
        // Indicator: NRI of the unit, type 28. Header: start or end, type 5.
        #expect(parts.map { Array($0[..<2]) } == [[0x7C, 0x85], [0x7C, 0x45]])
        #expect(parts.flatMap { $0[2...] } == Array(unit[1...]))
        #expect(parts[0].count == parts[1].count)
        #expect(frame.fragments.map(\.marker) == [false, true])
    }

    @Test("sizes around the bound never exceed it and lose no byte", arguments: [64, 65, 126, 127, 188, 189, 1_000])
    func bounds(count: Int) throws {
        let unit = nalUnit(0x41, count: count)
        let frame = try videoFrame(annexB([unit]), maxPayloadBytes: 64)
        let parts = payloads(of: frame)
        #expect(parts.allSatisfy { $0.count <= 64 })
        #expect(parts.count == (count <= 64 ? 1 : (count - 1 + 61) / 62))
        let body = parts.count == 1 ? parts[0] : [0x41] + parts.flatMap { $0[2...] }
        #expect(body == unit)
        #expect(Set(parts.dropLast().map(\.count)).count <= 1)
    }

    @Test("delimiters and filler are left out; a frame of nothing else has no packets")
    func leftOut() throws {
        let slice = nalUnit(0x41, count: 10)
        #expect(payloads(of: try videoFrame(annexB([[0x09, 0xF0], slice, nalUnit(0x0C, count: 50)]))) == [slice])
        #expect(try videoFrame(annexB([[0x09, 0xF0]])).fragments.isEmpty)
        #expect(try videoFrame([]).fragments.isEmpty)
    }

    @Test("a length that leaves the frame is refused")
    func badLength() {
        let format = PayloadFormat.h264LengthPrefixed(lengthSize: 4)
        #expect(throws: RTPError.badPayload) { try videoFrame([0, 0, 0, 5, 0x41, 1, 2, 3], as: format) }
        #expect(throws: RTPError.badPayload) { try videoFrame([0, 0, 0], as: format) }
    }

    @Test("a frame has at most 4,096 packets")
    func tooManyFragments() throws {
        let units = Array(repeating: nalUnit(0x41, count: 2), count: RTPLimits.maxFragmentsPerFrame)
        #expect(try videoFrame(annexB(units)).fragments.count == RTPLimits.maxFragmentsPerFrame)
        #expect(throws: RTPError.overLimit) { try videoFrame(annexB(units + [nalUnit(0x41, count: 2)])) }
    }
}

@Suite struct H264DepacketizerTests {
    struct Packet {
        var payload: [UInt8]
        var sequence: UInt16
        var timestamp: UInt32 = 0
        var marker = false
    }

    private func unpack(
        _ packets: [Packet], maxFrameBytes: Int = RTPLimits.maxFrameBytes
    ) -> (frames: [DepacketizedFrame], errors: [RTPError]) {
        var depacketizer = H264Depacketizer(maxFrameBytes: maxFrameBytes)
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

    /// The packets of frames, numbered on, 3,000 ticks apart.
    private func packets(_ frames: [PacketizedFrame], from sequence: UInt16 = 65_530) -> [Packet] {
        var next = sequence
        return frames.enumerated().flatMap { index, frame in
            zip(payloads(of: frame), frame.fragments).map { payload, fragment in
                defer { next &+= 1 }
                return Packet(
                    payload: payload, sequence: next, timestamp: UInt32(index * 3_000), marker: fragment.marker)
            }
        }
    }

    @Test("access units survive both ways", arguments: [64, 100, RTPLimits.maxPayloadBytes])
    func roundTrip(maxPayloadBytes: Int) throws {
        let units = [
            annexB([nalUnit(0x67, count: 20), nalUnit(0x68, count: 5), nalUnit(0x65, count: 5_000)]),
            annexB([nalUnit(0x41, count: 1_000), nalUnit(0x41, count: 65)]), annexB([nalUnit(0x01, count: 1)]),
        ]
        let frames = try units.map { try videoFrame($0, maxPayloadBytes: maxPayloadBytes) }
        let result = unpack(packets(frames))
        #expect(result.errors.isEmpty)
        #expect(result.frames.map { $0.payload.copied() } == units)
        #expect(result.frames.map(\.isKey) == [true, false, false])
        #expect(result.frames.map(\.timestamp) == [0, 3_000, 6_000])
        #expect(!result.frames.contains { $0.followsLoss })
    }

    @Test("each single lost packet costs its own access unit, and the next says so")
    func everyLoss() throws {
        let units = (0..<4).map { annexB([nalUnit(0x41, count: 200 + $0)]) }
        let all = packets(try units.map { try videoFrame($0, maxPayloadBytes: 80) })
        let perFrame = all.count / units.count
        for lost in all.indices {
            let result = unpack(all.enumerated().filter { $0.offset != lost }.map(\.element))
            let lostFrame = lost / perFrame
            var expected = units
            expected.remove(at: lostFrame)
            #expect(result.frames.map { $0.payload.copied() } == expected, "packet \(lost)")
            // Before the very first packet nothing is known to be missing, but the rest of its fragments is refused.
            #expect(result.errors.isEmpty || lost == 0)
            let marks = result.frames.map(\.followsLoss)
            if lostFrame < 3 { #expect(marks.firstIndex(of: true) == lostFrame, "packet \(lost)") }
        }
    }

    @Test("an aggregation packet holds several units")
    func aggregation() {
        let payload: [UInt8] = [0x78, 0, 2, 0x67, 1, 0, 3, 0x68, 2, 3, 0, 1, 0x65]
        let result = unpack([Packet(payload: payload, sequence: 1, marker: true)])
        #expect(result.frames.map { $0.payload.copied() } == [annexB([[0x67, 1], [0x68, 2, 3], [0x65]])])
        #expect(result.frames.map(\.isKey) == [true])
    }

    @Test("without a marker the next timestamp ends an access unit")
    func noMarker() {
        let result = unpack([
            Packet(payload: [0x41, 0x80], sequence: 1, timestamp: 1),
            Packet(payload: [0x41, 0x81], sequence: 2, timestamp: 2, marker: true),
        ])
        #expect(result.frames.map(\.timestamp) == [1, 2])
    }

    @Test("late and repeated packets are passed over")
    func late() {
        let result = unpack([
            Packet(payload: [0x41, 0x80], sequence: 0, timestamp: 1),
            Packet(payload: [0x41, 0x80], sequence: 0, timestamp: 1),
            Packet(payload: [0x41, 9], sequence: 65_535, timestamp: 0, marker: true),
            Packet(payload: [0x41, 2], sequence: 1, timestamp: 1, marker: true),
        ])
        #expect(result.frames.map { $0.payload.copied() } == [annexB([[0x41, 0x80], [0x41, 2]])])
    }

    @Test(
        "malformed payloads cost the access unit and no more",
        arguments: [
            [0x00], [0x18, 0], [0x18, 0, 0], [0x18, 0, 5, 0x41, 1], [0x19, 1], [0x19, 1, 2, 0],
            [0x19, 1, 2, 0, 2, 0x41],
            [0x1A, 0, 1, 0, 1, 9, 0, 0], [0x1B, 0, 1, 0, 1, 9, 0, 0, 0], [0x1D, 0x85, 1], [0x1D, 0x05, 0, 0, 1], [0x1F],
            [0x7C, 0x85], [0x7C, 0x45, 1], [0x7C, 0xC5, 1], [0x7C, 0x05, 1],
        ] as [[UInt8]])
    func malformed(payload: [UInt8]) {
        let result = unpack([
            Packet(payload: [0x41, 0x80], sequence: 1, timestamp: 1),
            Packet(payload: payload, sequence: 2, timestamp: 1),
            Packet(payload: [0x41, 1], sequence: 3, timestamp: 1, marker: true),
            Packet(payload: [0x65, 0x80], sequence: 4, timestamp: 2, marker: true),
        ])
        #expect(result.errors == [.badPayload])
        #expect(result.frames.map { $0.payload.copied() } == [annexB([[0x65, 0x80]])])
        #expect(result.frames.map(\.followsLoss) == [true])
    }

    @Test(
        "a fragmented unit is not mixed with others",
        arguments: [
            [0x41, 1], [0x18, 0, 1, 0x41], [0x7C, 0x85, 1],
        ] as [[UInt8]])
    func interruptedFragment(payload: [UInt8]) {
        let result = unpack([
            Packet(payload: [0x7C, 0x85, 0x80], sequence: 1, timestamp: 1),
            Packet(payload: payload, sequence: 2, timestamp: 1, marker: true),
        ])
        #expect(result.errors == [.badPayload])
        #expect(result.frames.isEmpty)
    }

    @Test("a marker inside a fragmented unit ends nothing")
    func markerInFragment() {
        let result = unpack([Packet(payload: [0x7C, 0x85, 0x80], sequence: 1, timestamp: 1, marker: true)])
        #expect(result.errors == [.badPayload] && result.frames.isEmpty)
    }

    @Test("a frame of the largest size passes, one byte more does not")
    func limit() {
        func frame(_ count: Int) -> [Packet] {
            [Packet(payload: nalUnit(0x41, count: count), sequence: 1, marker: true)]
        }
        #expect(unpack(frame(60), maxFrameBytes: 64).frames.count == 1)
        let over = unpack(frame(61), maxFrameBytes: 64)
        #expect(over.frames.isEmpty && over.errors == [.overLimit])
    }
}
