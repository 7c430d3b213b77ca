import Bytes
import RTP
import TestSupport
import Testing

@Suite struct ReceiverControlTests {
    @Test("the first report leaves 100 ms after the first packet, the others a second apart")
    func reports() throws {
        var receiver = makeReceiver([.video()])
        #expect(receiver.nextDeadline == nil)
        #expect(try receiver.control(at: .ms(50)).isEmpty)
        _ = try receiver.take(PublishedPacket(number: 10), at: .ms(100))
        #expect(receiver.nextDeadline == .ms(200))
        let first = try #require(try receiver.control(at: .ms(200)).first)
        #expect(first.types == [201, 202, 207] && first.names == ["name"])
        #expect(first.blocks.map(\.ssrc) == [0x1111])
        #expect(receiver.nextDeadline == .ms(1_200))
        // Nothing came in between.
        #expect(try receiver.control(at: .ms(1_200)).map(\.blocks.count) == [0])
    }

    @Test("losses, jitter and the last sender report stand in the blocks (RFC 3550 appendix A.3)")
    func block() throws {
        var receiver = makeReceiver([.video()])
        for number in [65_533, 65_534, 0, 1] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number)) }
        let report = written {
            SenderReport(
                ssrc: 0x1111, ntp: NTPTime(rawValue: 0x1234_5678_9ABC_DEF0), rtpTimestamp: 0, packetCount: 0,
                octetCount: 0
            ).write(into: &$0)
        }
        try receiver.receiveControl(report.rawSpan, at: .zero)
        let first = try #require(try receiver.control(at: .ms(500)).first?.blocks.first)
        #expect(
            first
                == ReportBlock(
                    ssrc: 0x1111, fractionLost: 51, cumulativeLost: 1, highestSequence: 65_537, jitter: 0,
                    lastSenderReport: 0x5678_9ABC, delaySinceSenderReport: 32_768))
        #expect(receiver.stream(0).statistics.packetsLost == 1 && receiver.stream(0).statistics.fractionLost == 51)
        // The late one and a duplicate: more than expected since then.
        for number in [65_535, 65_535, 2, 2, 2] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number)) }
        let second = try #require(try receiver.control(at: .ms(1_500)).first?.blocks.first)
        #expect(second.fractionLost == 0 && second.cumulativeLost == -3 && second.highestSequence == 65_538)
    }

    @Test("jitter is that of RFC 3550 appendix A.8", arguments: 0..<5 as Range<UInt64>)
    func jitter(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var receiver = makeReceiver([.video()])
        var expected = 0.0
        var transit: Double?
        for index in 0..<200 {
            // Whole milliseconds are whole ticks of 90 kHz.
            let arrival = Int64(index) * 33 + Int64.random(in: 0...30, using: &random)
            let timestamp = UInt32(index) * 2_970 &- 100_000
            _ = try receiver.take(PublishedPacket(number: UInt16(index), timestamp: timestamp), at: .ms(arrival))
            let new = Double(arrival) * 90 - Double(index) * 2_970
            if let transit { expected += (abs(new - transit) - expected) / 16 }
            transit = new
        }
        let block = try #require(try receiver.control(at: .ms(7_000)).first?.blocks.first)
        #expect(abs(Double(block.jitter) - expected) <= 2)
        #expect(expected > 300)
        let reported = receiver.stream(0).statistics.jitter
        #expect(abs(reported.seconds * 90_000 - Double(block.jitter)) < 1)
    }

    @Test("a source clock that jumps is no jitter, and the wrap of timestamps neither")
    func jitterJump() throws {
        var receiver = makeReceiver([.video()])
        for (index, timestamp) in ([0xFFFF_F000, 0xFFFF_FBB8, 0x770, 324_000_000, 324_003_000] as [UInt32]).enumerated()
        {
            let now = Monotonic.zero + Interval(nanoseconds: Int64(index) * 33_333_333 + 10)
            _ = try receiver.take(PublishedPacket(number: UInt16(index), timestamp: timestamp), at: now)
        }
        #expect(try receiver.control(at: .ms(500)).first?.blocks.first?.jitter == 0)
    }

    @Test("a restart starts the numbers of the report anew")
    func restart() throws {
        var receiver = makeReceiver([.video()])
        for number in [10, 20, 30_000, 30_001, 30_003] as [UInt16] {
            _ = try receiver.take(PublishedPacket(number: number))
        }
        let block = try #require(try receiver.control(at: .ms(500)).first?.blocks.first)
        #expect(block.cumulativeLost == 1 && block.fractionLost == 85)
        #expect(receiver.stream(0).statistics.packetsLost == 10)
        _ = try receiver.take(PublishedPacket(ssrc: 5, number: 7), at: .ms(900))
        let other = try #require(try receiver.control(at: .ms(1_500)).last?.blocks.first)
        #expect(other.ssrc == 5 && other.highestSequence == 7 && other.cumulativeLost == 0)
    }

    @Test("without reduced size every feedback follows an empty report and the name")
    func compound() throws {
        var receiver = makeReceiver([.video()], allowsReducedSize: false)
        _ = try receiver.take(PublishedPacket(number: 10), at: .ms(0))
        _ = try receiver.control(at: .ms(100))
        _ = try receiver.take(PublishedPacket(number: 12), at: .ms(110))
        let found = try receiver.control(at: .ms(115))
        #expect(found.map(\.types) == [[201, 202, 205]] && found[0].blocks.isEmpty)
        #expect(found[0].nacks == [0x1111: [11]])
    }

    @Test("with reduced size what is due with a report has a datagram of its own")
    func apart() throws {
        var receiver = makeReceiver([.video(feedback: [.nack])])
        _ = try receiver.take(PublishedPacket(number: 10), at: .ms(0))
        _ = try receiver.take(PublishedPacket(number: 12), at: .ms(95))
        #expect(try receiver.control(at: .ms(100)).map(\.types) == [[201, 202, 207], [205]])
    }

    @Test("gaps are asked for, retransmissions are not asked for again")
    func nack() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(number: 65_534), at: .ms(0))
        _ = try receiver.take(PublishedPacket(number: 2), at: .ms(10))
        #expect(receiver.nextDeadline == .ms(15))
        let found = try receiver.control(at: .ms(15))
        #expect(found.map(\.types) == [[205]] && found[0].nacks == [0x1111: [65_535, 0, 1]])
        let again = PublishedPacket(number: 0).retransmitted(ssrc: 2, type: 97)
        #expect(try receiver.take(again, at: .ms(40)).map(\.sequenceNumber) == [65_536])
        #expect(receiver.roundTrip == .milliseconds(25))
        // The first round trip was guessed as 100 ms.
        #expect(try receiver.control(at: .ms(115)).last?.nacks == [0x1111: [65_535, 1]])
        #expect(try receiver.control(at: .ms(140)).last?.nacks == [0x1111: [65_535, 1]])
        #expect(receiver.stream(0).statistics.packetsNacked == 7)
    }

    @Test("without NACK nothing is asked for")
    func noNack() throws {
        var receiver = makeReceiver([.video(feedback: [.pictureLoss])])
        for number in [1, 9] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number)) }
        #expect(try receiver.control(at: .ms(50)).isEmpty)
    }

    @Test("too many losses are given up for a key frame")
    func giveUp() throws {
        var receiver = makeReceiver([.video()])
        for number in [1, 600] as [UInt16] { _ = try receiver.take(PublishedPacket(number: number)) }
        let found = try receiver.control(at: .ms(10))
        #expect(found.map(\.pictureLosses) == [[0x1111]] && found[0].nacks.isEmpty)
    }

    @Test("hundreds of losses of many streams fit into several datagrams")
    func manyLosses() throws {
        let ssrcs = Array(1...16 as ClosedRange<UInt32>)
        var receiver = makeReceiver([.video(ssrcs: ssrcs)])
        for ssrc in ssrcs {
            for step in 0..<130 as Range<UInt16> {
                _ = try receiver.take(PublishedPacket(ssrc: ssrc, number: step * 20))
            }
        }
        // 20 numbers a gap, of which 19 are missing: more than 512 of each stream, so most were given up.
        let found = try receiver.control(at: .ms(20))
        #expect(found.count > 1)
        var asked: [UInt32: Int] = [:]
        for datagram in found { for (ssrc, numbers) in datagram.nacks { asked[ssrc, default: 0] += numbers.count } }
        #expect(asked.count == 16 && asked.values.allSatisfy { (1...512).contains($0) })
    }
}

@Suite struct ReceiverKeyFrameTests {
    @Test("a key frame is asked for at once, then each second until it comes")
    func repeats() throws {
        var receiver = makeReceiver([.video(feedback: [.pictureLoss, .fullIntra])])
        _ = try receiver.take(PublishedPacket(number: 1), at: .ms(0))
        receiver.requestKeyFrame(stream: 0)
        var asked: [Int64] = []
        for time in stride(from: 5, through: 3_500, by: 5) as StrideThrough<Int64> {
            for datagram in try receiver.control(at: .ms(time)) where !datagram.pictureLosses.isEmpty {
                #expect(datagram.pictureLosses == [0x1111])
                asked.append(time)
            }
        }
        #expect(asked == [5, 1_005, 2_005, 3_005])
        receiver.noteKeyFrame(stream: 0)
        #expect(try receiver.control(at: .ms(4_010)).allSatisfy(\.pictureLosses.isEmpty))
        #expect(receiver.stream(0).statistics.keyFrameRequests == 4)
    }

    @Test("requests are at least 350 ms or a round trip apart", arguments: [(0, 350), (395, 400)] as [(Int64, Int64)])
    func limit(trip: Int64, pause: Int64) throws {
        var receiver = makeReceiver([.video(feedback: [.pictureLoss])])
        _ = try receiver.take(PublishedPacket(number: 1), at: .ms(0))
        let reference = try #require(try receiver.control(at: .ms(100)).first?.referenceTime)
        if trip > 0 {
            try receiver.receiveControl(delayReport(reference, held: .milliseconds(10)).rawSpan, at: .ms(110 + trip))
        }
        var asked: [Int64] = []
        for time in stride(from: 1_500, to: 2_900, by: 10) as StrideTo<Int64> {
            receiver.requestKeyFrame(stream: 0)
            let found = try receiver.control(at: .ms(time))
            if found.contains(where: { !$0.pictureLosses.isEmpty }) { asked.append(time) }
        }
        #expect(asked == Array(stride(from: 1_500, to: 2_900, by: Int(pause)).map { Int64($0) }))
    }

    @Test("FIR is used where PLI was not negotiated, and each request has its number")
    func fullIntra() throws {
        var receiver = makeReceiver([.video(feedback: [.fullIntra])])
        _ = try receiver.take(PublishedPacket(number: 1), at: .ms(0))
        receiver.requestKeyFrame(stream: 0)
        let found = try receiver.control(at: .ms(1)) + receiver.control(at: .ms(1_001))
        #expect(found.flatMap(\.fullIntras).map(\.ssrc) == [0x1111, 0x1111])
        #expect(found.flatMap(\.fullIntras).map(\.sequence) == [1, 2])
    }

    @Test("nobody is asked who would not understand")
    func none() throws {
        var receiver = makeReceiver([.audio(), .video(feedback: [.nack])])
        _ = try receiver.take(PublishedPacket(type: 111, number: 1))
        _ = try receiver.take(PublishedPacket(ssrc: 2, number: 1))
        for stream in 0..<2 { receiver.requestKeyFrame(stream: stream) }
        #expect(try receiver.control(at: .ms(1)).isEmpty)
    }
}

@Suite struct ReceiverPathTests {
    @Test("round trips come from answers to reference times, and only to those")
    func roundTrip() throws {
        var receiver = makeReceiver([.video()])
        _ = try receiver.take(PublishedPacket(number: 1), at: .ms(0))
        let reference = try #require(try receiver.control(at: .ms(100)).first?.referenceTime)
        #expect(reference == NTPTime(rawValue: 1_000 << 32).advanced(by: .milliseconds(100)))
        let stranger = delayReport(reference, held: .zero, ssrc: 3)
        let old = delayReport(NTPTime(rawValue: 7 << 32), held: .zero)
        let negative = delayReport(reference, held: .milliseconds(500))
        for bytes in [stranger, old, negative] {
            try receiver.receiveControl(bytes.rawSpan, at: .ms(200))
            #expect(receiver.roundTrip == nil)
        }
        try receiver.receiveControl(delayReport(reference, held: .milliseconds(60)).rawSpan, at: .ms(200))
        let found = receiver.roundTrip ?? .zero
        #expect((found - .milliseconds(40)).magnitude < .microseconds(100))
    }

    @Test("answers outweigh what retransmissions show")
    func exact() throws {
        var receiver = makeReceiver([.video()])
        for (number, time) in [(1, 0), (3, 1)] as [(UInt16, Int64)] {
            _ = try receiver.take(PublishedPacket(number: number), at: .ms(time))
        }
        _ = try receiver.control(at: .ms(6))
        _ = try receiver.take(PublishedPacket(number: 2).retransmitted(ssrc: 2, type: 97), at: .ms(96))
        #expect(receiver.roundTrip == .milliseconds(90))
        let reference = try #require(try receiver.control(at: .ms(100)).first?.referenceTime)
        try receiver.receiveControl(delayReport(reference, held: .zero).rawSpan, at: .ms(116))
        #expect(((receiver.roundTrip ?? .zero) - .milliseconds(16)).magnitude < .microseconds(100))
    }

    @Test("transport-wide feedback covers all sources, known or not, in about 5 % of the bitrate")
    func transportWide() throws {
        var receiver = makeReceiver([.audio(), .video()])
        var told: [UInt16: Int64] = [:]
        var datagrams = 0
        for step in 0..<2_000 as Range<UInt16> {
            let now = Monotonic.ms(Int64(step))
            var packet = PublishedPacket(
                number: step, payload: [UInt8](repeating: 0, count: 200), transport: 64_000 &+ step)
            if step % 20 == 3 { (packet.ssrc, packet.type) = (2, 111) }
            if step % 20 == 7 { (packet.ssrc, packet.type) = (3, 50) }
            if step % 20 == 9 { packet = packet.retransmitted(ssrc: 4, type: 97) }
            _ = try receiver.take(packet, at: now)
            for datagram in try receiver.control(at: now) where !datagram.arrivals.isEmpty {
                datagrams += 1
                for status in datagram.arrivals { told[status.sequenceNumber] = status.arrival }
            }
        }
        for status in try receiver.control(at: .ms(2_100)).flatMap(\.arrivals) {
            told[status.sequenceNumber] = status.arrival
        }
        #expect(told.count == 2_000)
        for step in 0..<2_000 as Range<UInt16> { #expect(told[64_000 &+ step] == Int64(step) * 4) }
        // 1.7 Mbit/s allow the shortest interval, 50 ms.
        #expect((34...44).contains(datagrams))
    }

    @Test("due feedback leaves with the next packet, and alone when none comes for a while")
    func feedbackPatience() throws {
        var receiver = makeReceiver([.audio()])
        for number in 0..<2 as Range<UInt16> {
            _ = try receiver.take(
                PublishedPacket(type: 111, number: number, payload: [1], transport: number), at: .ms(Int64(number)))
        }
        // The first report comes earlier than feedback, which few packets make wait for 250 ms.
        _ = try receiver.control(at: .ms(100))
        #expect(receiver.nextDeadline == .ms(275))
        #expect(try receiver.control(at: .ms(249)).isEmpty)
        #expect(try receiver.control(at: .ms(250)).flatMap(\.arrivals).count == 2)
    }

    @Test("at low rates feedback is rare, but never rarer than 250 ms")
    func lowRate() throws {
        var receiver = makeReceiver([.audio()])
        var datagrams = 0
        for step in 0..<200 as Range<UInt16> {
            let now = Monotonic.ms(Int64(step) * 20)
            _ = try receiver.take(
                PublishedPacket(type: 111, number: step, payload: [UInt8](repeating: 0, count: 40), transport: step),
                at: now)
            datagrams += try receiver.control(at: now).count { !$0.arrivals.isEmpty }
        }
        #expect((14...18).contains(datagrams))
    }

    @Test("REMB is the fallback without transport-wide feedback")
    func maximumBitrate() throws {
        var receiver = makeReceiver([.video(feedback: [.maximumBitrate])])
        var told: [UInt64] = []
        for step in 0..<4_000 as Range<UInt16> {
            let now = Monotonic.ms(Int64(step))
            _ = try receiver.take(PublishedPacket(number: step, payload: [UInt8](repeating: 0, count: 113)), at: now)
            told += try receiver.control(at: now).compactMap(\.maximumBitrate)
        }
        // 1 Mbit/s arrives; the rate of the very first report is not known yet.
        #expect(told.count == 4 && told.dropFirst().allSatisfy { (2_300_000...2_600_000).contains($0) })
        var other = makeReceiver([.video(feedback: [.maximumBitrate, .transportWide])])
        _ = try other.take(PublishedPacket(number: 1))
        #expect(try other.control(at: .ms(500)).allSatisfy { $0.maximumBitrate == nil })
    }
}

@Suite struct ReceiveBitrateLimitTests {
    @Test("loss above 10 % cuts by half of it, below 2 % it grows, in between it stays")
    func steps() {
        var limit = ReceiveBitrateLimit()
        let start = ReceiveBitrateLimit.start
        #expect(limit.update(lossFraction: 0.05, received: 3_000_000) == start)
        #expect(limit.update(lossFraction: 0.2, received: 3_000_000) == start * 9 / 10)
        #expect(limit.update(lossFraction: 0.01, received: 3_000_000) == start * 9 / 10 + start * 9 / 120)
    }

    @Test("it stays near what arrives, and a quiet sender may still grow")
    func bounds() {
        var limit = ReceiveBitrateLimit()
        #expect(limit.update(lossFraction: 0, received: 0) == ReceiveBitrateLimit.headroom)
        for _ in 0..<100 { _ = limit.update(lossFraction: 0, received: 1_000_000_000) }
        #expect(limit.update(lossFraction: 0, received: 1_000_000_000) == ReceiveBitrateLimit.maximum)
        for _ in 0..<100 { _ = limit.update(lossFraction: 1, received: 1_000_000) }
        #expect(limit.update(lossFraction: 1, received: 1_000_000) == ReceiveBitrateLimit.minimum)
        #expect(limit.update(lossFraction: 0, received: 100_000) > ReceiveBitrateLimit.minimum)
    }
}
