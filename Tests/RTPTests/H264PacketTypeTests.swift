import Bytes
import Media
import RTP
import TestSupport
import Testing

/// What RFC 6184 has beyond fragments and single times, and parameter sets that come once.
@Suite struct H264PacketTypeTests {
    private let sps = hex("6742c01ed905279a23011000000300100000030320f162e480")
    private let pps = hex("68ebe3cb22c0")
    private let idr = nalUnit(0x65, count: 30)
    private let slice = nalUnit(0x41, count: 20)

    @Test("aggregation packets with decoding order numbers hold units as those without")
    func aggregation() {
        let units: [[UInt8]] = [[0x67, 1], [0x68, 2, 3], [0x65, 0x80]]
        let stapB: [UInt8] = [0x79, 0x12, 0x34] + units.flatMap { [0, UInt8($0.count)] + $0 }
        let result = unpack(.video(.h264), [PlacedPayload(stapB, 1, marker: true)])
        #expect(result.payloads == [annexB(units)])
        #expect(result.keys == [true])
    }

    @Test("units of an aggregation of several times go to the pictures of their times", arguments: [2, 3])
    func multiTime(offsetBytes: Int) {
        func unit(_ unit: [UInt8], offset: Int) -> [UInt8] {
            [0, UInt8(unit.count), 7]
                + (0..<offsetBytes).reversed().map { UInt8(truncatingIfNeeded: offset >> ($0 * 8)) } + unit
        }
        let mtap: [UInt8] =
            [offsetBytes == 2 ? 0x1A : 0x1B, 0, 9] + unit([0x41, 0x80], offset: 0) + unit([0x41, 5], offset: 0)
            + unit([0x41, 0x81], offset: 3_000) + unit([0x41, 0x82], offset: 6_000)
        let result = unpack(
            .video(.h264), [PlacedPayload(mtap, 1, 90_000), PlacedPayload([0x41, 6], 2, 96_000, marker: true)])
        #expect(result.errors.isEmpty)
        #expect(result.frames.map(\.timestamp) == [90_000, 93_000, 96_000])
        #expect(
            result.payloads == [
                annexB([[0x41, 0x80], [0x41, 5]]), annexB([[0x41, 0x81]]), annexB([[0x41, 0x82], [0x41, 6]]),
            ])
    }

    @Test("an aggregation of more pictures than are kept loses the last ones, and the next picture says so")
    func manyTimes() {
        let units = (0..<40).flatMap { index in [0, 2, 0, UInt8(index), 0, 0x41, 0x80] as [UInt8] }
        let result = unpack(
            .video(.h264),
            [
                PlacedPayload([0x1A, 0, 0] + units, 1, marker: true),
                PlacedPayload([0x41, 0x80], 2, 60_000, marker: true),
            ]
        )
        #expect(result.frames.count == RTPLimits.maxFramesPerPacket + 1)
        #expect(result.losses.last == true)
    }

    @Test("a first fragment with a decoding order number is one like any other")
    func fragmentB() {
        let packets = [
            PlacedPayload([0x7D, 0x81, 0, 5, 0x80, 1], 1), PlacedPayload([0x7C, 0x01, 2], 2),
            PlacedPayload([0x7C, 0x41, 3], 3, marker: true),
        ]
        let result = unpack(.video(.h264), packets)
        #expect(result.payloads == [annexB([[0x61, 0x80, 1, 2, 3]])])
        #expect(result.errors.isEmpty)
    }

    @Test("padding between fragments does no harm")
    func padding() {
        let packets = [
            PlacedPayload([], 0, 9), PlacedPayload([0x7C, 0x81, 0x80, 1], 1), PlacedPayload([], 2),
            PlacedPayload([0x7C, 0x41, 2], 3, marker: true), PlacedPayload([], 4),
            PlacedPayload([0x41, 0x80], 5, 3_000, marker: true),
        ]
        let result = unpack(.video(.h264), packets)
        #expect(result.payloads == [annexB([[0x61, 0x80, 1, 2]]), annexB([[0x41, 0x80]])])
        #expect(result.losses == [false, false])
    }

    @Test("a key frame without parameter sets gets those that came before, or those of the session description")
    func parameterSets() throws {
        let first = placed([try videoFrame(annexB([sps, pps, idr])), try videoFrame(annexB([idr]))])
        let result = unpack(.video(.h264), first)
        #expect(result.payloads == [annexB([sps, pps, idr]), annexB([sps, pps, idr])])
        #expect(result.keys == [true, true])
        let described = unpack(
            .video(.h264), placed([try videoFrame(annexB([[0x06, 5], idr]))]), parameterSets: [pps, sps])
        #expect(described.payloads == [annexB([[0x06, 5], sps, pps, idr])] && described.keys == [true])
    }

    @Test("fragmented parameter sets are kept as well; one that is new takes the place of the old")
    func replacedSets() throws {
        var other = sps
        other[other.count - 1] = 0x81
        let frames = [
            annexB([sps, pps, idr]), annexB([other, pps, idr]), annexB([idr]),
        ]
        let packets = placed(try frames.map { try videoFrame($0, maxPayloadBytes: 64) })
        // The second set once more, in two fragments.
        var split = packets
        split.removeSubrange(3..<4)
        split.insert(
            contentsOf: [
                PlacedPayload([0x7C, 0x87] + other[1..<9], 0, 3_000),
                PlacedPayload([0x7C, 0x47] + other[9...], 0, 3_000),
            ], at: 3)
        for index in split.indices { split[index].sequence = UInt16(index) }
        #expect(unpack(.video(.h264), split).payloads == [frames[0], frames[1], annexB([other, pps, idr])])
    }

    @Test("a picture whose parameter sets nobody knows is no place to start")
    func unknownSets() throws {
        let result = unpack(.video(.h264), placed([try videoFrame(annexB([idr]))]))
        #expect(result.payloads == [annexB([idr])] && result.keys == [false])
    }

    @Test("where key frames bring their parameter sets, one that may have lost them is dropped")
    func lostSets() throws {
        let frames = [annexB([sps, pps, idr]), annexB([slice]), annexB([sps, pps, idr])]
        let packets = placed(try frames.map { try videoFrame($0) })
        for lost in [4, 5] {
            let result = unpack(.video(.h264), packets.without(lost))
            #expect(result.payloads == Array(frames[..<2]), "packet \(lost)")
        }
        // Where they came but once, the ones kept are good.
        let rare = placed(
            try [frames[0], annexB([idr]), annexB([slice]), annexB([idr])].map { try videoFrame($0) })
        let result = unpack(.video(.h264), rare.without(4))
        #expect(result.keys == [true, true, true] && result.losses.last == true)
    }

    @Test("an intra picture with parameter sets of its own is a place to start, other intra pictures are not")
    func intraPictures() {
        // first_mb_in_slice 0, slice_type 7: 1 0001000.
        let intra: [UInt8] = [0x41, 0x88, 0x80, 1]
        let predicted: [UInt8] = [0x41, 0x9A, 0x80, 1]
        for (units, isKey) in [
            ([sps, pps, intra], true), ([intra], false), ([sps, pps, predicted], false), ([sps, intra], false),
        ] {
            let result = unpack(
                .video(.h264),
                units.enumerated().map { PlacedPayload($1, UInt16($0), marker: $0 == units.count - 1) })
            #expect(result.keys == [isKey], "\(units)")
        }
    }

    @Test("a stream that invents parameter sets without end fills a bounded store")
    func manySets() {
        var packets: [PlacedPayload] = []
        for id in 0..<200 {
            var bits = Bits()
            bits.addUE(id)
            packets.append(PlacedPayload([0x68] + bits.bytes + [0xFF], UInt16(id), UInt32(id), marker: true))
        }
        packets.append(PlacedPayload(sps, 200, 200))
        packets.append(PlacedPayload(idr, 201, 201, marker: true))
        let result = unpack(.video(.h264), packets)
        let payload = result.payloads.last ?? []
        var units = AnnexBUnits(payload.rawSpan)
        var count = 0
        while units.next() != nil { count += 1 }
        #expect(count <= RTPLimits.maxParameterSets + 2)
    }

    @Test("parameter sets of a session description are read from base64, and what cannot be read is left out")
    func sprop() {
        let text = "Z0IACpZTBYmI,aMljiA=="
        #expect(Depacketizer.parameterSets(sprop: text) == [hex("6742000a9653058988"), hex("68c96388")])
        #expect(Depacketizer.parameterSets(sprop: "").isEmpty)
        #expect(Depacketizer.parameterSets(sprop: "!,,aMljiA==") == [hex("68c96388")])
        let long = Array(repeating: "aA==", count: 100).joined(separator: ",")
        #expect(Depacketizer.parameterSets(sprop: long).count == RTPLimits.maxParameterSets)
        #expect(Depacketizer.parameterSets(sprop: String(repeating: "A", count: 40_000)).isEmpty)
    }

    @Test("every truncation of every kind of packet is refused or taken, and the next picture comes out")
    func truncations() {
        let payloads: [[UInt8]] = [
            [0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2], [0x79, 0, 0, 0, 2, 0x67, 1, 0, 2, 0x68, 2],
            [0x1A, 0, 0, 0, 2, 0, 0, 0, 0x41, 0x80], [0x1B, 0, 0, 0, 2, 0, 0, 0, 0, 0x41, 0x80],
            [0x7C, 0x85, 0x80, 1], [0x7D, 0x85, 0, 0, 0x80, 1],
        ]
        for payload in payloads {
            for count in 0...payload.count {
                let result = unpack(
                    .video(.h264),
                    [
                        PlacedPayload(Array(payload[..<count]), 1, marker: true),
                        PlacedPayload([0x41, 0x80], 2, 3_000, marker: true),
                    ])
                #expect(result.payloads.last == annexB([[0x41, 0x80]]), "\(payload) cut to \(count)")
            }
        }
    }
}
