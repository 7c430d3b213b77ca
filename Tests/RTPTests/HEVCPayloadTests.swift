import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A unit of `type` with temporal id 1; a slice begins with the bit of a picture's first one.
private func unit(_ type: UInt8, count: Int, isFirst: Bool = true) -> [UInt8] {
    [type << 1, 1]
        + (0..<max(count - 2, 0)).map { index in
            index == 0 ? (isFirst ? 0x80 : 0x04) : UInt8(truncatingIfNeeded: index % 251 + 4)
        }
}

private let vps = hex("40010c01ffff02200000030090000003000003001e959809")
private let sps = hex("42010102200000030090000003000003001ea024839d48d96566b932bc05a02000000300200000030321")
private let pps = hex("4401c173d189")

@Suite struct HEVCPayloadTests {
    @Test(
        "access units survive both ways at any packet size", arguments: [64, 65, 100, 333, RTPLimits.maxPayloadBytes])
    func roundTrip(maxPayloadBytes: Int) throws {
        let units = [
            annexB([vps, sps, pps, unit(19, count: 5_000)]),
            annexB([unit(1, count: 1_000), unit(1, count: 65, isFirst: false)]), annexB([unit(0, count: 3)]),
        ]
        let frames = try units.map { try videoFrame($0, as: .hevcAnnexB, maxPayloadBytes: maxPayloadBytes) }
        let packets = placed(frames)
        #expect(packets.allSatisfy { $0.payload.count <= maxPayloadBytes })
        let result = unpack(.video(.hevc), packets)
        #expect(result.errors.isEmpty)
        #expect(result.payloads == units)
        #expect(result.keys == [true, false, false])
        #expect(result.losses == [false, false, false])
    }

    @Test("fragments say start, end and type, and repeat the header's layer")
    func fragments() throws {
        let large = unit(19, count: 150)
        let frame = try videoFrame(annexB([large]), as: .hevcAnnexB, maxPayloadBytes: 64)
        let parts = payloads(of: frame)
        #expect(parts.map { Array($0[..<3]) } == [[0x62, 1, 0x93], [0x62, 1, 0x13], [0x62, 1, 0x53]])
        #expect(parts.flatMap { $0[3...] } == Array(large[2...]))
    }

    @Test("delimiters and filler are left out; a unit without a body is refused")
    func leftOut() throws {
        let slice = unit(1, count: 10)
        let frame = try videoFrame(annexB([unit(35, count: 3), slice, unit(38, count: 9)]), as: .hevcAnnexB)
        #expect(payloads(of: frame) == [slice])
        #expect(throws: RTPError.badPayload) { try videoFrame(annexB([[0x02, 1]]), as: .hevcAnnexB) }
    }

    @Test("aggregation packets hold several units")
    func aggregation() {
        let slice = unit(20, count: 9)
        let payload: [UInt8] = [0x60, 1] + [vps, sps, pps, slice].flatMap { [0, UInt8($0.count)] + $0 }
        let result = unpack(.video(.hevc), [PlacedPayload(payload, 1, marker: true)])
        #expect(result.payloads == [annexB([vps, sps, pps, slice])] && result.keys == [true])
    }

    @Test("random access pictures without parameter sets get the last ones", arguments: [16, 19, 20, 21] as [UInt8])
    func parameterSets(type: UInt8) throws {
        let units = [annexB([vps, sps, pps, unit(19, count: 9)]), annexB([unit(type, count: 9)])]
        let result = unpack(.video(.hevc), placed(try units.map { try videoFrame($0, as: .hevcAnnexB) }))
        #expect(result.payloads == [units[0], annexB([vps, sps, pps, unit(type, count: 9)])])
        #expect(result.keys == [true, true])
        let described = unpack(
            .video(.hevc), placed([try videoFrame(units[1], as: .hevcAnnexB)]), parameterSets: [pps, vps, sps])
        #expect(described.payloads == [annexB([vps, sps, pps, unit(type, count: 9)])])
        let unknown = unpack(.video(.hevc), placed([try videoFrame(units[1], as: .hevcAnnexB)]))
        #expect(unknown.keys == [false])
    }

    @Test("each single lost packet costs its own access unit, and the next says so")
    func everyLoss() throws {
        let units = (0..<4).map { annexB([unit(1, count: 200 + $0)]) }
        let all = placed(try units.map { try videoFrame($0, as: .hevcAnnexB, maxPayloadBytes: 80) })
        let perFrame = all.count / units.count
        for lost in all.indices {
            let result = unpack(.video(.hevc), all.without(lost))
            var expected = units
            expected.remove(at: lost / perFrame)
            #expect(result.payloads == expected, "packet \(lost)")
            if lost / perFrame < 3 { #expect(result.losses.firstIndex(of: true) == lost / perFrame) }
        }
    }

    @Test(
        "malformed payloads cost the access unit and no more",
        arguments: [
            "02", "0201", "6001", "600100", "60010000", "6001000502", "6201", "620180", "6201C101", "620101FF",
            "6401FFFF",
        ])
    func malformed(text: String) {
        let result = unpack(
            .video(.hevc),
            [
                PlacedPayload(unit(1, count: 5), 1), PlacedPayload(hex(text), 2),
                PlacedPayload(unit(1, count: 5, isFirst: false), 3, marker: true),
                PlacedPayload(unit(1, count: 6), 4, 3_000, marker: true),
            ])
        #expect(result.errors == [.badPayload])
        #expect(result.payloads == [annexB([unit(1, count: 6)])] && result.losses == [true])
    }

    @Test("a frame of the largest size passes, one byte more does not")
    func limit() {
        let fits = unpack(.video(.hevc), [PlacedPayload(unit(1, count: 60), 1, marker: true)], maxFrameBytes: 64)
        #expect(fits.frames.count == 1)
        let over = unpack(.video(.hevc), [PlacedPayload(unit(1, count: 61), 1, marker: true)], maxFrameBytes: 64)
        #expect(over.frames.isEmpty && over.errors == [.overLimit])
    }
}
