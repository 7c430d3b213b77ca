import Bytes
import RTP
import TestSupport
import Testing

/// A RED payload (RFC 2198) with redundant blocks, the oldest first, and the primary one.
func redundant(
    _ blocks: [(type: UInt8, offset: UInt32, bytes: [UInt8])], type: UInt8, _ primary: [UInt8]
) -> [UInt8] {
    var payload: [UInt8] = []
    for block in blocks {
        let word = block.offset << 10 | UInt32(block.bytes.count)
        payload += [0x80 | block.type, UInt8(word >> 16), UInt8(word >> 8 & 0xFF), UInt8(word & 0xFF)]
    }
    return payload + [type] + blocks.flatMap(\.bytes) + primary
}

/// An ULPFEC payload (RFC 5109) over whole packets, with level 0 alone.
func correction(_ packets: [[UInt8]], base: UInt16) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 10)
    var body: [UInt8] = []
    var mask: UInt64 = 0
    for packet in packets {
        let number = UInt16(packet[2]) << 8 | UInt16(packet[3])
        mask |= 1 << (63 - UInt64(number &- base))
        let length = packet.count - 12
        for (index, byte) in [packet[0], packet[1]].enumerated() { header[index] ^= byte }
        for index in 0..<4 { header[4 + index] ^= packet[4 + index] }
        header[8] ^= UInt8(length >> 8)
        header[9] ^= UInt8(length & 0xFF)
        if body.count < length { body += [UInt8](repeating: 0, count: length - body.count) }
        for index in 0..<length { body[index] ^= packet[12 + index] }
    }
    let isLong = mask & 0xFFFF_FFFF_FFFF != 0
    header[0] = header[0] & 0x3F | (isLong ? 0x40 : 0)
    header[2] = UInt8(base >> 8)
    header[3] = UInt8(base & 0xFF)
    let masked = stride(from: UInt64(56), through: isLong ? 16 : 48, by: -8).map { UInt8(mask >> $0 & 0xFF) }
    return header + [UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + masked + body
}

@Suite struct RedundantPayloadTests {
    @Test("blocks are found behind their headers, the primary one last")
    func blocks() throws {
        let bytes = redundant([(111, 960, [1, 2]), (110, 480, [3])], type: 111, [4, 5, 6])
        let payload = try RedundantPayload(parsing: bytes.rawSpan)
        let found = (0..<payload.count).map { payload[$0] }
        #expect(found.map(\.payloadType) == [111, 110, 111])
        #expect(found.map(\.timestampOffset) == [960, 480, 0])
        #expect(found.map { Array(bytes[$0.range]) } == [[1, 2], [3], [4, 5, 6]])
        #expect(payload.primary == found[2])
    }

    @Test("the largest offset and length are read")
    func largest() throws {
        let bytes = redundant([(127, 16_383, [UInt8](repeating: 1, count: 1_023))], type: 0, [])
        let block = try RedundantPayload(parsing: bytes.rawSpan)[0]
        #expect(block.timestampOffset == 16_383 && block.range == 5..<1_028)
    }

    @Test("every truncation of headers and redundant blocks is refused")
    func truncations() throws {
        let bytes = redundant([(111, 960, [1, 2]), (111, 480, [3])], type: 111, [])
        for count in 0..<bytes.count {
            #expect(throws: RTPError.self, "\(count)") {
                try RedundantPayload(parsing: Array(bytes[..<count]).rawSpan)
            }
        }
        #expect(try RedundantPayload(parsing: bytes.rawSpan).primary.range.isEmpty)
    }

    @Test("eight blocks are taken, nine are not")
    func limit() throws {
        let block = (type: 111 as UInt8, offset: 1 as UInt32, bytes: [1] as [UInt8])
        let eight = redundant(Array(repeating: block, count: 7), type: 111, [1])
        #expect(try RedundantPayload(parsing: eight.rawSpan).count == 8)
        let nine = redundant(Array(repeating: block, count: 8), type: 111, [1])
        #expect(throws: RTPError.overLimit) { try RedundantPayload(parsing: nine.rawSpan) }
    }
}

@Suite struct ReceiverRedundancyTests {
    private let section = RTPReceiver.Section.audio(more: [.init(type: 63, role: .redundancy)])

    private func packet(_ number: UInt16, back: Int = 2) -> PublishedPacket {
        let blocks = (1...max(back, 1)).reversed().map { step in
            (type: 111 as UInt8, offset: UInt32(step) * 960, bytes: [UInt8(truncatingIfNeeded: Int(number) - step)])
        }
        return PublishedPacket(
            type: 63, number: number, timestamp: UInt32(number) * 960,
            payload: redundant(back == 0 ? [] : blocks, type: 111, [UInt8(truncatingIfNeeded: number)]))
    }

    @Test("the primary block is handed out as if it had come alone")
    func primary() throws {
        var receiver = makeReceiver([section])
        let found = try receiver.take(packet(10))
        #expect(found.map(\.payloadType) == [111] && found.map { $0.payload.copied() } == [[10]])
        #expect(found.map(\.isRepaired) == [false])
    }

    @Test("redundant blocks fill gaps with their own numbers and times, in order")
    func fill() throws {
        var receiver = makeReceiver([section])
        _ = try receiver.take(packet(100))
        let found = try receiver.take(packet(103))
        #expect(found.map(\.sequenceNumber) == [101, 102, 103])
        #expect(found.map { $0.payload.copied() } == [[101], [102], [103]])
        #expect(found.map(\.timestamp) == [96_960, 97_920, 98_880])
        #expect(found.map(\.isRepaired) == [true, true, false])
        #expect(receiver.stream(0).statistics.repairedByRedundancy == 2)
        #expect(try receiver.take(packet(102)).isEmpty)
        #expect(try receiver.take(packet(104)).map(\.sequenceNumber) == [104])
    }

    @Test("nothing is made up from before the first packet")
    func beginning() throws {
        var receiver = makeReceiver([section])
        #expect(try receiver.take(packet(10)).map(\.sequenceNumber) == [10])
        #expect(try receiver.take(packet(11)).map(\.sequenceNumber) == [11])
    }

    @Test("plain packets and RED may alternate")
    func mixed() throws {
        var receiver = makeReceiver([section])
        _ = try receiver.take(PublishedPacket(type: 111, number: 1, payload: [1]))
        #expect(try receiver.take(packet(3)).map { $0.payload.copied() } == [[2], [3]])
        #expect(try receiver.take(packet(4, back: 0)).map { $0.payload.copied() } == [[4]])
    }

    @Test("every truncation closes its gap with an empty packet or hands out what is there")
    func truncations() throws {
        let whole = packet(10)
        for count in 1..<whole.payload.count {
            var receiver = makeReceiver([section])
            var short = whole
            short.payload = Array(whole.payload[..<count])
            try? receiver.receive(short.bytes.rawSpan, at: .zero)
            let found = receiver.drain()
            #expect(found.map(\.sequenceNumber) == [10] && found.allSatisfy(\.payload.isEmpty))
            #expect(receiver.counters.malformed == (count < whole.payload.count - 1 ? 1 : 0))
        }
    }

    @Test("RED in RED is refused")
    func nested() throws {
        var receiver = makeReceiver([section])
        let inner = redundant([], type: 111, [1])
        let packet = PublishedPacket(type: 63, number: 1, payload: redundant([], type: 63, inner))
        #expect(throws: RTPError.badPayload) { try receiver.receive(packet.bytes.rawSpan, at: .zero) }
        #expect(receiver.drain().map(\.payload.isEmpty) == [true])
    }
}

@Suite struct ReceiverCorrectionTests {
    private let section = RTPReceiver.Section.video(more: [
        .init(type: 116, role: .redundancy), .init(type: 117, role: .ulpfec),
        .init(type: 118, role: .retransmission(of: 116)),
    ])

    /// Media packets of different sizes, as they are before RED.
    private func media(from first: UInt16, count: Int) -> [PublishedPacket] {
        (0..<count).map { index in
            let number = first &+ UInt16(index)
            return PublishedPacket(
                number: number, timestamp: 9_000 + UInt32(index / 2) * 3_000, marker: index % 2 == 1,
                payload: (0..<20 + index * 7).map { UInt8(truncatingIfNeeded: $0 * 31 + index) },
                mid: index % 3 == 0 ? "1" : nil)
        }
    }

    private func red(_ packet: PublishedPacket) -> PublishedPacket {
        var wrapped = packet
        wrapped.payload = redundant([], type: packet.type, packet.payload)
        wrapped.type = 116
        return wrapped
    }

    private func fec(_ packets: [PublishedPacket], number: UInt16, isRed: Bool) -> PublishedPacket {
        let payload = correction(packets.map(\.bytes), base: packets[0].number)
        return PublishedPacket(
            type: isRed ? 116 : 117, number: number, timestamp: 1,
            payload: isRed ? redundant([], type: 117, payload) : payload)
    }

    @Test("each single loss of a group is given back whole", arguments: [false, true], [1, 2, 5, 16, 17, 48])
    func single(isRed: Bool, count: Int) throws {
        let packets = media(from: 65_530, count: count)
        let last = 65_530 &+ UInt16(count)
        for lost in 0..<count {
            var receiver = makeReceiver([section])
            // What came before shows that the first packet of the group is missing too.
            _ = try receiver.take(PublishedPacket(number: 65_529))
            var found: [ReceivedPacket] = []
            for (index, packet) in packets.enumerated() where index != lost {
                found += try receiver.take(isRed ? red(packet) : packet)
            }
            found += try receiver.take(fec(packets, number: last, isRed: isRed))
            let repaired = try #require(found.first { $0.isRepaired })
            let original = packets[lost]
            #expect(repaired.sequenceNumber == 65_530 + Int64(lost))
            #expect(repaired.payload.copied() == original.payload && repaired.marker == original.marker)
            #expect(repaired.timestamp == original.timestamp && repaired.payloadType == 96)
            #expect(found.count == count + 1 && found.count(where: \.payload.isEmpty) == 1)
            #expect(receiver.stream(0).statistics.repairedByRedundancy == 1)
            #expect(try receiver.control(at: .ms(10)).allSatisfy(\.nacks.isEmpty))
            #expect(try receiver.take(isRed ? red(original) : original).isEmpty)
        }
    }

    @Test("padding of a lost packet is left out again")
    func padding() throws {
        var packets = media(from: 10, count: 3)
        packets[1].padding = 9
        var receiver = makeReceiver([section])
        for index in [0, 2] { _ = try receiver.take(packets[index]) }
        let found = try receiver.take(fec(packets, number: 13, isRed: false))
        #expect(found.filter(\.isRepaired).map { $0.payload.copied() } == [packets[1].payload])
    }

    @Test("correction that came too early is used when enough is there")
    func early() throws {
        let packets = media(from: 10, count: 3)
        var receiver = makeReceiver([section])
        _ = try receiver.take(PublishedPacket(number: 9))
        #expect(try receiver.take(fec(packets, number: 13, isRed: true)).map(\.payload.isEmpty) == [true])
        #expect(try receiver.take(red(packets[2])).map(\.sequenceNumber) == [12])
        #expect(try receiver.take(red(packets[0])).map(\.sequenceNumber) == [10, 11])
    }

    @Test("what is given back helps to give more back")
    func chain() throws {
        let packets = media(from: 10, count: 4)
        var receiver = makeReceiver([section])
        for index in [0, 3] { _ = try receiver.take(packets[index]) }
        #expect(try receiver.take(fec(packets, number: 14, isRed: false)).count == 1)
        let found = try receiver.take(fec(Array(packets[..<2]), number: 15, isRed: false))
        #expect(found.map(\.sequenceNumber) == [15, 11, 12])
        #expect(found[2].payload.copied() == packets[2].payload)
    }

    @Test("two losses of a group are left to retransmission")
    func two() throws {
        let packets = media(from: 10, count: 4)
        var receiver = makeReceiver([section])
        for index in [0, 3] { _ = try receiver.take(red(packets[index])) }
        #expect(try receiver.take(fec(packets, number: 14, isRed: true)).allSatisfy { !$0.isRepaired })
        #expect(try receiver.control(at: .ms(10)).map(\.nacks) == [[0x1111: [11, 12]]])
        let again = red(packets[1]).retransmitted(ssrc: 2, type: 118)
        #expect(try receiver.take(again).map { $0.payload.copied() } == [packets[1].payload])
    }

    @Test("truncated and empty correction is refused, and its gap closed")
    func truncations() throws {
        let packets = media(from: 10, count: 3)
        let whole = fec(packets, number: 13, isRed: false)
        for count in 1..<whole.payload.count {
            var receiver = makeReceiver([section])
            for index in [0, 2] { _ = try receiver.take(packets[index]) }
            var short = whole
            short.payload = Array(whole.payload[..<count])
            #expect(throws: RTPError.self) { try receiver.receive(short.bytes.rawSpan, at: .zero) }
            #expect(receiver.drain().map(\.payload.isEmpty) == [true])
        }
        var receiver = makeReceiver([section])
        var empty = whole
        empty.payload[12] = 0
        empty.payload[13] = 0
        #expect(throws: RTPError.badPayload) { try receiver.receive(empty.bytes.rawSpan, at: .zero) }
    }

    @Test("correction that promises more than it covers gives nothing back")
    func overLength() throws {
        let packets = media(from: 10, count: 3)
        var receiver = makeReceiver([section])
        for index in [0, 2] { _ = try receiver.take(packets[index]) }
        var bad = fec(packets, number: 13, isRed: false)
        bad.payload[8] ^= 0x40
        #expect(try receiver.take(bad).map(\.payload.isEmpty) == [true])
        #expect(receiver.stream(0).statistics.repairedByRedundancy == 0)
    }
}
