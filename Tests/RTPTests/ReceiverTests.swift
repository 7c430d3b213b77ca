import Bytes
import RTP
import TestSupport
import Testing

@Suite struct ReceiverTests {
    @Test("a packet is handed out with all that belongs to it")
    func whole() throws {
        var receiver = makeReceiver([.audio()])
        let level = HeaderExtensionValues.AudioLevel(level: 30, isVoice: true)
        let found = try receiver.take(
            PublishedPacket(
                ssrc: 7, type: 111, number: 65_535, timestamp: 960, marker: true, payload: [9, 8], level: level),
            at: .ms(3))
        let packet = try #require(found.first)
        #expect(found.count == 1 && packet.stream == 0 && packet.sequenceNumber == 65_535)
        #expect(packet.timestamp == 960 && packet.marker && packet.payloadType == 111)
        #expect(packet.payload.copied() == [9, 8] && packet.arrival == .ms(3) && packet.audioLevel == level)
        #expect(!packet.isRepaired && !packet.didRestart)
        #expect(try receiver.take(PublishedPacket(ssrc: 7, type: 111, number: 0)).map(\.sequenceNumber) == [65_536])
    }

    @Test("duplicates and packets behind the window are dropped and counted")
    func dropped() throws {
        var receiver = makeReceiver([.video()])
        for number in [5_000, 5_001, 5_001, 5_000, 900] as [UInt16] {
            _ = try receiver.take(PublishedPacket(number: number))
        }
        let statistics = receiver.stream(0).statistics
        #expect(statistics.packetsReceived == 4 && statistics.duplicates == 2 && statistics.packetsDropped == 1)
    }

    @Test("after a jump the stream goes on with a mark")
    func jump() throws {
        var receiver = makeReceiver([.video()])
        let first = try receiver.take(PublishedPacket(number: 10))
        #expect(try receiver.take(PublishedPacket(number: 30_000)).isEmpty)
        let second = try receiver.take(PublishedPacket(number: 30_001))
        #expect(second.map(\.didRestart) == [true] && second[0].sequenceNumber > first[0].sequenceNumber)
        #expect(try receiver.take(PublishedPacket(number: 30_002)).map(\.didRestart) == [false])
        #expect(receiver.stream(0).statistics.restarts == 1 && receiver.stream(0).statistics.packetsLost == 0)
    }

    @Test("padding is handed out empty and counts for transport-wide feedback")
    func padding() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(number: 1, transport: 1))
        let found = try receiver.take(PublishedPacket(number: 2, payload: [], transport: 2, padding: 200))
        #expect(found.map(\.sequenceNumber) == [2] && found.allSatisfy(\.payload.isEmpty))
        let padded = try receiver.take(PublishedPacket(number: 3, payload: [1, 2], transport: 3, padding: 4))
        #expect(padded.map { $0.payload.copied() } == [[1, 2]])
        let probe = PublishedPacket(ssrc: 2, type: 97, number: 9, payload: [], transport: 4, padding: 255)
        #expect(try receiver.take(probe).isEmpty)
        let control = try receiver.control(at: .ms(300))
        #expect(control.flatMap(\.arrivals).map(\.sequenceNumber) == [1, 2, 3, 4])
    }

    @Test("events tell of new streams, reports, ends and returns, once each")
    func events() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(number: 1), at: .ms(0))
        #expect(receiver.events() == [.streamAdded(0)])
        let report = written {
            SenderReport(ssrc: 0x1111, ntp: NTPTime(rawValue: 5 << 32), rtpTimestamp: 77, packetCount: 1, octetCount: 3)
                .write(into: &$0)
        }
        try receiver.receiveControl(report.rawSpan, at: .ms(10))
        #expect(receiver.events() == [.senderReport(stream: 0)])
        #expect(
            receiver.stream(0).lastReport
                == SenderReportArrival(ntp: NTPTime(rawValue: 5 << 32), rtpTimestamp: 77, arrival: .ms(10)))
        let bye = written { Goodbye.write(ssrcs: [3, 0x1111], into: &$0) }
        try receiver.receiveControl(bye.rawSpan, at: .ms(20))
        #expect(receiver.events() == [.streamEnded(0)] && receiver.stream(0).isEnded)
        // The BYE overtook this one.
        #expect(try receiver.take(PublishedPacket(number: 2), at: .ms(30)).count == 1)
        #expect(receiver.events().isEmpty && receiver.stream(0).isEnded)
        #expect(try receiver.take(PublishedPacket(number: 3), at: .ms(520)).count == 1)
        #expect(receiver.events() == [.streamAdded(0)] && !receiver.stream(0).isEnded)
    }

    @Test("after a goodbye another source takes the stream at once")
    func successor() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(ssrc: 1, number: 1), at: .ms(0))
        _ = receiver.events()
        let bye = written { Goodbye.write(ssrcs: [1], into: &$0) }
        try receiver.receiveControl(bye.rawSpan, at: .ms(1))
        #expect(receiver.events() == [.streamEnded(0)])
        #expect(try receiver.take(PublishedPacket(ssrc: 2, number: 1), at: .ms(2)).map(\.didRestart) == [true])
        #expect(receiver.events() == [.streamAdded(0)])
    }

    @Test("packets that nobody polls are dropped and counted")
    func overflow() throws {
        var receiver = makeReceiver([.video()])
        for number in 0..<70 as Range<UInt16> {
            try receiver.receive(PublishedPacket(number: number).bytes.rawSpan, at: .zero)
        }
        #expect(receiver.drain().count == 64 && receiver.counters.overflowed == 6)
    }

    @Test("every truncation is refused with an error or taken, and counted")
    func truncations() throws {
        let whole = PublishedPacket(
            number: 1, payload: [1, 2, 3, 4], mid: "1", rid: "q", transport: 9, padding: 3
        ).bytes
        for count in 0..<whole.count {
            var receiver = makeReceiver([.video()])
            do throws(RTPError) {
                try receiver.receive(Array(whole[..<count]).rawSpan, at: .zero)
                #expect(receiver.counters.malformed == 0)
            } catch { #expect(receiver.counters.malformed == 1) }
            #expect(receiver.counters.packets == 1)
        }
    }

    @Test("every truncation of RTCP is refused with an error or taken, and counted")
    func controlTruncations() throws {
        let whole = written {
            SenderReport(ssrc: 0x1111, ntp: NTPTime(rawValue: 5 << 32), rtpTimestamp: 77, packetCount: 1, octetCount: 3)
                .write(into: &$0)
            Goodbye.write(ssrcs: [0x1111], into: &$0)
        }
        for count in 0..<whole.count {
            var receiver = makeReceiver([.video()])
            _ = try receiver.take(PublishedPacket(number: 1))
            let isWhole = [0, SenderReport.byteCount].contains(count)
            if isWhole {
                try receiver.receiveControl(Array(whole[..<count]).rawSpan, at: .zero)
            } else {
                #expect(throws: RTPError.self) {
                    try receiver.receiveControl(Array(whole[..<count]).rawSpan, at: .zero)
                }
            }
            #expect(receiver.counters.malformedControl == (isWhole ? 0 : 1))
            #expect(receiver.stream(0).lastReport != nil || count < SenderReport.byteCount)
        }
    }

    @Test(
        "a loss of 5 % with reordering and duplicates is made good by retransmission", arguments: 0..<6 as Range<UInt64>
    )
    func network(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var receiver = makeReceiver([.video()])
        var sent: [UInt16: PublishedPacket] = [:]
        var pending: [(at: Monotonic, packet: PublishedPacket)] = []
        var found: [Int64: [UInt8]] = [:]
        var again: UInt16 = 0
        for step in 0..<3_000 {
            let now = Monotonic.ms(Int64(step))
            if step < 2_500 {
                let packet = PublishedPacket(
                    number: UInt16(truncatingIfNeeded: 64_000 + step), timestamp: UInt32(step) * 90,
                    payload: [UInt8(step & 0xFF), UInt8(step >> 8)])
                sent[packet.number] = packet
                let isLost = step > 0 && step < 2_450 && Int.random(in: 0..<20, using: &random) == 0
                if !isLost { pending.append((now + .milliseconds(Int64.random(in: 10...13, using: &random)), packet)) }
                if step % 50 == 0, !isLost { pending.append((now + .milliseconds(12), packet)) }
            }
            for entry in pending where entry.at <= now {
                for packet in try receiver.take(entry.packet, at: now) {
                    #expect(found.updateValue(packet.payload.copied(), forKey: packet.sequenceNumber) == nil)
                }
            }
            pending.removeAll { $0.at <= now }
            for datagram in try receiver.control(at: now) {
                for number in datagram.nacks[0x1111] ?? [] where Int.random(in: 0..<20, using: &random) > 0 {
                    guard let packet = sent[number] else { continue }
                    again &+= 1
                    pending.append(
                        (now + .milliseconds(20), packet.retransmitted(ssrc: 0x2222, type: 97, number: again)))
                }
            }
        }
        #expect(found.count == 2_500)
        let statistics = receiver.stream(0).statistics
        #expect((80...170).contains(statistics.repairedByRetransmission))
        #expect(statistics.packetsNacked < 200)
        let roundTrip = receiver.roundTrip ?? .zero
        #expect((Interval.milliseconds(19)...Interval.milliseconds(22)).contains(roundTrip))
    }

    @Test("dependency descriptors come with their packets, when sent again too, and not where there are none")
    func descriptors() throws {
        let pair = RTPReceiver.RetransmissionPair(media: 0x1111, retransmission: 0x2222)
        var receiver = makeReceiver([.video(pairs: [pair])])
        let descriptor = (0..<40).map { UInt8($0) }
        let first = try receiver.take(PublishedPacket(number: 1, mid: "1", descriptor: descriptor))
        #expect(first.map { $0.descriptor?.copied() } == [descriptor])
        #expect(first.map { $0.payload.copied() } == [[1, 2, 3]])
        let plain = try receiver.take(PublishedPacket(number: 3))
        #expect(plain.count == 1 && plain[0].descriptor == nil)
        let lost = PublishedPacket(number: 2, descriptor: [7, 8, 9])
        let again = try receiver.take(lost.retransmitted(ssrc: 0x2222, type: 97))
        #expect(again.map { $0.descriptor?.copied() } == [[7, 8, 9]])
        #expect(again.map { $0.payload.copied() } == [[1, 2, 3]])
    }
}
