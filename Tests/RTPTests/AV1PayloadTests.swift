import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A unit with its size in the shortest form.
private func obu(_ type: UInt8, _ body: [UInt8], hasSize: Bool = true) -> [UInt8] {
    var size: [UInt8] = []
    if hasSize { LEB128.encode(UInt32(body.count)) { size.append($0) } }
    return [type << 3 | (hasSize ? 2 : 0)] + size + body
}

/// 64x48.
private let sequenceHeader = obu(1, hex("20000002aff79b5f2404340080"))
/// Not shown again, key frame, shown.
private func keyFrame(_ count: Int) -> [UInt8] { obu(6, [0x10] + [UInt8](repeating: 0xAB, count: count)) }
/// Inter frame.
private func interFrame(_ count: Int) -> [UInt8] { obu(6, [0x30] + [UInt8](repeating: 0xCD, count: count)) }

/// Types and bodies of the units, for comparing streams whose sizes are written differently.
private func units(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var walk = AV1Units(bytes.rawSpan)
    var units: [[UInt8]] = []
    while let unit = try walk.next() { units.append([unit.type] + bytes[unit.payload]) }
    return units
}

@Suite struct AV1PayloadTests {
    @Test(
        "temporal units survive both ways at any packet size", arguments: [64, 65, 100, 500, RTPLimits.maxPayloadBytes])
    func roundTrip(maxPayloadBytes: Int) throws {
        let contents = [sequenceHeader + keyFrame(5_000), interFrame(2_000), interFrame(1) + obu(5, [1, 2])]
        let frames = try contents.enumerated().map { index, content in
            try videoFrame([0x12, 0] + content, as: .av1, isKey: index == 0, maxPayloadBytes: maxPayloadBytes)
        }
        let packets = placed(frames)
        #expect(packets.allSatisfy { $0.payload.count <= maxPayloadBytes })
        let result = unpack(.video(.av1), packets)
        #expect(result.errors.isEmpty)
        #expect(try result.payloads.map(units) == contents.map(units))
        #expect(result.keys == [true, false, false])
        #expect(result.losses == [false, false, false])
    }

    @Test("each unit begins a packet without its size; the first packet of a sequence says so")
    func packets() throws {
        let frame = try videoFrame(
            [0x12, 0] + sequenceHeader + keyFrame(100), as: .av1, isKey: true, maxPayloadBytes: 64)
        let parts = payloads(of: frame)
        // W 1 and N; W 1 and Y; W 1 and Z.
        #expect(parts.map { $0[0] } == [0x18, 0x50, 0x90])
        #expect(parts[0] == [0x18, 0x08] + sequenceHeader[2...])
        #expect(Array(parts[1][1...]) + parts[2][1...] == [0x30, 0x10] + [UInt8](repeating: 0xAB, count: 100))
        #expect(frame.fragments.map(\.marker) == [false, false, true])
        #expect(throws: RTPError.badPayload) { try videoFrame([0x32, 200, 1], as: .av1) }
    }

    @Test("units with an extension keep it")
    func layerExtension() throws {
        let unit: [UInt8] = [0x36, 0x20, 2, 0x10, 1]
        let frame = try videoFrame(sequenceHeader + unit, as: .av1, isKey: true)
        #expect(payloads(of: frame).last == [0x10, 0x34, 0x20, 0x10, 1])
        #expect(unpack(.video(.av1), placed([frame])).payloads == [sequenceHeader + unit])
    }

    @Test("once units tell their layers, each temporal unit begins with a delimiter")
    func delimiters() {
        let unit: [UInt8] = [0x36, 0x20, 2, 0x30, 1]
        let packets = (0..<3).map { index in
            PlacedPayload([0x10, 0x34, 0x20, 0x30, 1], UInt16(index), UInt32(index) * 3_000, marker: true)
        }
        let result = unpack(.video(.av1), packets)
        #expect(result.payloads == Array(repeating: [0x12, 0] + unit, count: 3))
    }

    @Test("elements with lengths, counted or not, are the same as one to a packet", arguments: [false, true])
    func aggregation(isCounted: Bool) {
        let header = [0x08] + sequenceHeader[2...]
        let frame: [UInt8] = [0x30, 0x10, 7, 8]
        let head: UInt8 = isCounted ? 0x28 : 0x08
        let payload = [head, UInt8(header.count)] + header + (isCounted ? [] : [UInt8(frame.count)]) + frame
        let result = unpack(.video(.av1), [PlacedPayload(payload, 1, marker: true)])
        #expect(result.payloads == [sequenceHeader + [0x32, 3, 0x10, 7, 8]])
        #expect(result.keys == [true])
    }

    @Test("a unit over several packets, with others in front and behind, is put together")
    func fragments() throws {
        let packets = [
            PlacedPayload([0x60, 2, 0x28, 9, 0x30, 0x30, 1, 2], 1), PlacedPayload([0xD0, 3, 4], 2),
            PlacedPayload([0xA0, 2, 5, 6, 0x28, 7], 3, marker: true),
        ]
        let result = unpack(.video(.av1), packets)
        #expect(result.errors.isEmpty)
        #expect(try result.payloads.map(units) == [[[5, 9], [6, 0x30, 1, 2, 3, 4, 5, 6], [5, 7]]])
    }

    @Test("units that kept their sizes are taken as they are, in fragments too; temporal delimiters are left out")
    func withSizes() {
        let packets = [
            PlacedPayload([0x00, 2, 0x12, 0, 4, 0x32, 2, 0x30, 1], 1, marker: true),
            PlacedPayload([0x50, 0x32, 3, 0x30], 2, 3_000), PlacedPayload([0x90, 8, 9], 3, 3_000, marker: true),
        ]
        #expect(unpack(.video(.av1), packets).payloads == [[0x32, 2, 0x30, 1], [0x32, 3, 0x30, 8, 9]])
    }

    @Test("a key frame needs a sequence header and a frame that says so, not the bit of the packet")
    func keys() {
        func isKey(_ content: [UInt8], bit: UInt8 = 0x08) -> [Bool] {
            unpack(.video(.av1), [PlacedPayload([0x10 | bit] + content, 1, marker: true)]).keys
        }
        #expect(isKey([0x30, 0x10]) == [false])
        #expect(isKey([0x08, 1, 2]) == [false])
        let header = [0x08] + sequenceHeader[2...]
        for (frame, expected) in [(0x10, true), (0x30, false), (0x90, false), (0x50, false)] as [(UInt8, Bool)] {
            let payload = [0x20, UInt8(header.count)] + header + [0x30, frame]
            #expect(unpack(.video(.av1), [PlacedPayload(payload, 1, marker: true)]).keys == [expected])
        }
    }

    @Test("each single lost packet costs its own temporal unit, and the next says so")
    func everyLoss() throws {
        let contents = (0..<4).map { interFrame(150 + $0) }
        let all = placed(try contents.map { try videoFrame($0, as: .av1, maxPayloadBytes: 64) })
        for lost in all.indices {
            let result = unpack(.video(.av1), all.without(lost))
            var expected = contents
            expected.remove(at: lost / 3)
            #expect(try result.payloads.map(units) == expected.map(units), "packet \(lost)")
            if lost / 3 < 3 { #expect(result.losses.firstIndex(of: true) == lost / 3) }
        }
    }

    @Test("after a loss, upper layers and parts of frames begin nothing")
    func uncertainStart() {
        func result(_ payload: [UInt8]) -> Unpacked {
            unpack(
                .video(.av1),
                [
                    PlacedPayload([0x10, 0x30, 0x30], 1, 0, marker: true), PlacedPayload(payload, 3, 3_000),
                    PlacedPayload([0x10, 0x30, 0x31], 4, 3_000, marker: true),
                    PlacedPayload([0x10, 0x30, 0x32], 5, 6_000, marker: true),
                ])
        }
        for payload in [[0x10, 0x20, 1], [0x90, 1], [0x10, 0x34, 0x08, 0x30]] as [[UInt8]] {
            #expect(result(payload).frames.map(\.timestamp).last == 6_000, "\(payload)")
        }
        #expect(result([0x10, 0x20, 1]).payloads.count == 3)
        #expect(result([0x10, 0x34, 0, 0x30]).frames.map(\.timestamp) == [0, 3_000, 6_000])
    }

    @Test(
        "malformed payloads cost the temporal unit and no more",
        arguments: [
            "10", "20", "2001", "20050801", "3001080102", "0005", "00FFFFFFFFFFFFFFFFFF", "1080", "1034", "9030", "90",
            "1034", "5030", "103205", "40",
        ])
    func malformed(text: String) {
        let result = unpack(
            .video(.av1),
            [
                PlacedPayload([0x10, 0x30, 0x30], 1), PlacedPayload(hex(text), 2, marker: true),
                PlacedPayload([0x10, 0x30, 0x31], 3, 3_000, marker: true),
            ])
        #expect(result.errors == [.badPayload], "\(result.errors)")
        #expect(result.payloads == [[0x32, 1, 0x31]] && result.losses == [true])
    }

    @Test("padding between fragments does no harm")
    func padding() throws {
        let packets = [
            PlacedPayload([], 0), PlacedPayload([0x50, 0x30, 0x30], 1), PlacedPayload([], 2),
            PlacedPayload([0x90, 1], 3, marker: true),
        ]
        let result = unpack(.video(.av1), packets)
        #expect(try result.payloads.map(units) == [[[6, 0x30, 1]]] && result.losses == [false])
    }

    @Test("a temporal unit over its limit is refused")
    func limit() {
        let packet = PlacedPayload([0x10, 0x30, 0x30] + [UInt8](repeating: 0, count: 20), 1, marker: true)
        #expect(unpack(.video(.av1), [packet], maxFrameBytes: 23).frames.count == 1)
        let over = unpack(.video(.av1), [packet], maxFrameBytes: 22)
        #expect(over.frames.isEmpty && over.errors == [.overLimit])
    }
}
