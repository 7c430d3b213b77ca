import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A sender with one audio and two video streams, and what it wrote.
private final class Bench {
    static let clock = NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero)
    var sender: RTPSender
    let map: HeaderExtensionMap

    init(retransmission: Bool = true) {
        var map = HeaderExtensionMap()
        map[.mid] = 1
        map[.transportSequence] = 2
        self.map = map
        sender = RTPSender(clock: Self.clock, cname: InlineBytes("cname") ?? InlineBytes(), targetBitrate: 3_000_000)
        for stream in 0..<3 as Range<UInt32> {
            var configuration = SendStream.Configuration(
                kind: stream == 0 ? .audio : .video, ssrc: 100 + stream, payloadType: 96,
                clockRate: stream == 0 ? 48_000 : 90_000, firstSequenceNumber: 0, timestampOffset: 0)
            if retransmission, stream > 0 {
                configuration.retransmission = .init(ssrc: 200 + stream, payloadType: 97, firstSequenceNumber: 0)
            }
            configuration.extensions = map
            _ = sender.addStream(configuration)
        }
    }

    @discardableResult
    func send(_ frame: PacketizedFrame, on stream: Int, at now: Monotonic) -> Bool {
        sender.send(frame, on: stream, at: now)
    }

    func receive(_ bytes: [UInt8], at now: Monotonic) throws(RTPError) {
        try sender.receiveControl(bytes.rawSpan, at: now)
    }

    func statistics(of stream: Int) -> SendStream.Statistics { sender.statistics(of: stream) }

    var nextDeadline: Monotonic? { sender.nextDeadline }
    var roundTrip: Interval? { sender.roundTrip }
    var feedback: [SentPacketHistory.Outcome] { sender.feedback }

    /// All datagrams that may leave at `now`.
    func drain(at now: Monotonic) -> [(kind: RTPSender.Transmit, bytes: [UInt8])] {
        var datagrams: [(kind: RTPSender.Transmit, bytes: [UInt8])] = []
        while true {
            var kind: RTPSender.Transmit?
            let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
            guard let kind else {
                precondition(bytes.isEmpty, "no datagram, no bytes")
                return datagrams
            }
            datagrams.append((kind, bytes))
        }
    }

    func media(at now: Monotonic) throws -> [ParsedPacket] {
        try drain(at: now).compactMap { $0.kind == .control ? nil : try ParsedPacket($0.bytes, map: map) }
    }

    func control(at now: Monotonic) -> [[UInt8]] {
        drain(at: now).compactMap { $0.kind == .control ? $0.bytes : nil }
    }

    func events() -> [RTPSender.Event] {
        var events: [RTPSender.Event] = []
        while let event = sender.pollEvent() { events.append(event) }
        return events
    }

    func nack(_ numbers: [UInt16], ssrc: UInt32 = 101, at now: Monotonic) throws {
        let bytes = written {
            _ = Feedback.writeNack(sender: 1, media: ssrc, sequenceNumbers: numbers, maxBytes: 1_200, into: &$0)
        }
        try receive(bytes, at: now)
    }
}

@Suite struct RTPSenderTests {
    @Test("a frame leaves at once, its report behind its first packet")
    func send() throws {
        let bench = Bench()
        let frame = try pictures(packets: 3, isKey: true)
        #expect(bench.send(frame, on: 1, at: .ms(10)))
        let datagrams = bench.drain(at: .ms(10))
        #expect(datagrams.map(\.kind) == [.media(stream: 1), .control, .media(stream: 1), .media(stream: 1)])
        #expect(bench.statistics(of: 1).framesSent == 1 && bench.statistics(of: 1).keyFramesSent == 1)
        #expect(bench.nextDeadline == .ms(1_010))
    }

    @Test("video waits for a key frame and asks for it, again after a second")
    func keyFrameFirst() throws {
        let bench = Bench()
        for now in [0, 500, 999, 1_000] as [Int64] {
            #expect(!bench.send(try pictures(packets: 1), on: 1, at: .ms(now)))
            #expect(bench.events() == (now % 1_000 == 0 ? [.keyFrameRequested(stream: 1)] : []))
        }
        #expect(bench.drain(at: .ms(1_000)).isEmpty)
        #expect(bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .ms(1_033)))
        #expect(bench.send(try pictures(packets: 1), on: 1, at: .ms(1_066)))
        #expect(try bench.media(at: .ms(1_066)).count == 2)
        #expect(bench.statistics(of: 1).framesDropped == 4)
    }

    @Test("audio needs no key frame, and streams do not wait for each other")
    func audio() throws {
        let bench = Bench()
        #expect(bench.send(try audioFrame(), on: 0, at: .zero))
        #expect(try bench.media(at: .zero).map(\.header.ssrc) == [100])
    }

    @Test("after a stall the stream resumes with a key frame")
    func stall() throws {
        let bench = Bench()
        #expect(bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .zero))
        #expect(!bench.send(try pictures(packets: 1), on: 1, at: .ms(600)))
        #expect(try bench.media(at: .ms(600)).count == 1)
        #expect(!bench.send(try pictures(packets: 1), on: 1, at: .ms(633)))
        #expect(bench.events() == [.keyFrameRequested(stream: 1)])
        #expect(bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .ms(666)))
        #expect(try bench.media(at: .ms(666)).map(\.header.sequenceNumber) == [1])
    }

    @Test("one frame serves many senders without a copy of its bytes")
    func sharing() throws {
        let frame = try pictures(packets: 4, isKey: true)
        var sent: [[[UInt8]]] = []
        for _ in 0..<3 {
            let bench = Bench()
            bench.send(frame, on: 1, at: .zero)
            sent.append(try bench.media(at: .zero).map(\.payload))
        }
        #expect(sent == Array(repeating: payloads(of: frame), count: 3))
    }

    @Test("transport numbers run across streams and retransmissions")
    func transportNumbers() throws {
        let bench = Bench()
        bench.send(try audioFrame(), on: 0, at: .zero)
        bench.send(try pictures(packets: 2, isKey: true), on: 1, at: .zero)
        bench.send(try pictures(packets: 1, isKey: true), on: 2, at: .zero)
        #expect(try bench.media(at: .zero).map(\.extensions.transportSequence) == [0, 1, 2, 3])
        try bench.nack([1], at: .ms(50))
        #expect(try bench.media(at: .ms(50)).map(\.extensions.transportSequence) == [4])
    }

    @Test("goodbye names all streams")
    func goodbye() throws {
        let bench = Bench()
        let bytes = written { bench.sender.writeGoodbye(into: &$0) }
        #expect(bytes == hex("83CB0003 00000064 00000065 00000066"))
    }
}

@Suite struct RTPSenderControlTests {
    @Test("reports go out every second, each with its name, and stop when nothing is sent")
    func reports() throws {
        let bench = Bench()
        bench.send(try audioFrame(), on: 0, at: .zero)
        var times: [Int64] = []
        var now = Monotonic.zero
        while now < .ms(10_000) {
            for datagram in bench.control(at: now) {
                times.append((now - .zero).milliseconds)
                #expect(datagram[1] == 200 && datagram[29] == 202)
            }
            guard let deadline = bench.nextDeadline else { break }
            #expect(deadline > now)
            now = deadline
            bench.sender.advance(to: now)
        }
        #expect(times == [0, 1_000, 2_000])
        #expect(bench.nextDeadline == nil)
        bench.send(try audioFrame(), on: 0, at: .ms(9_000))
        #expect(bench.control(at: .ms(9_000)).count == 1)
    }

    @Test("a lost packet is sent again on its own source, once in a round trip")
    func nack() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 5, isKey: true), on: 1, at: .zero)
        let sent = try bench.media(at: .zero)
        try bench.nack([1, 3, 900], at: .ms(30))
        let again = try bench.media(at: .ms(30))
        #expect(again.map(\.header.ssrc) == [201, 201])
        #expect(again.map { Array($0.payload[2...]) } == [sent[1].payload, sent[3].payload])
        try bench.nack([1], at: .ms(49))
        #expect(try bench.media(at: .ms(49)).isEmpty)
        try bench.nack([1], at: .ms(50))
        #expect(try bench.media(at: .ms(50)).count == 1)
        #expect(bench.statistics(of: 1).packetsNacked == 5)
        #expect(bench.statistics(of: 1).packetsRetransmitted == 3)
    }

    @Test("NACKs for unknown sources and unknown packets have no effect")
    func unknownNack() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 2, isKey: true), on: 1, at: .zero)
        _ = bench.drain(at: .zero)
        try bench.nack([0, 1], ssrc: 201, at: .ms(1))
        try bench.nack([2, 65_535], at: .ms(1))
        #expect(bench.drain(at: .ms(1)).isEmpty)
    }

    @Test("a packet that grew too old while it waited is passed over")
    func expiredRetransmission() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .zero)
        _ = bench.drain(at: .zero)
        try bench.nack([0], at: .ms(2_999))
        bench.sender.advance(to: .ms(3_001))
        #expect(try bench.media(at: .ms(3_001)).isEmpty)
    }

    @Test("picture loss and full intra requests become one event a stream; repeats of a FIR none")
    func keyFrameRequests() throws {
        let bench = Bench()
        let picture = written { Feedback.writePictureLoss(sender: 1, media: 102, into: &$0) }
        let intra = written { Feedback.writeFullIntra(sender: 1, media: 101, sequence: 0, into: &$0) }
        try bench.receive((picture + intra + picture), at: .zero)
        #expect(bench.events() == [.keyFrameRequested(stream: 1), .keyFrameRequested(stream: 2)])
        try bench.receive(intra, at: .ms(1))
        #expect(bench.events() == [])
        let next = written { Feedback.writeFullIntra(sender: 1, media: 101, sequence: 1, into: &$0) }
        try bench.receive(next, at: .ms(2))
        #expect(bench.events() == [.keyFrameRequested(stream: 1)])
        #expect(bench.statistics(of: 1).keyFrameRequests == 2)
        let stranger = written { Feedback.writePictureLoss(sender: 1, media: 999, into: &$0) }
        try bench.receive(stranger, at: .ms(3))
        #expect(bench.events() == [])
    }

    @Test("a source for retransmissions is introduced once, by padding, when a report shows that its stream is known")
    func introduction() throws {
        for hasSource in [true, false] {
            let bench = Bench(retransmission: hasSource)
            func report(on stream: UInt32, at now: Monotonic) throws -> [ParsedPacket] {
                let block = ReportBlock(ssrc: 100 + stream)
                try bench.receive(written { ReceiverReport.write(ssrc: 1, blocks: [block], into: &$0) }, at: now)
                return try bench.media(at: now)
            }
            #expect(try report(on: 2, at: .ms(1)).isEmpty, "nothing was sent yet")
            bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .ms(10))
            #expect(try bench.media(at: .ms(10)).map(\.header.ssrc) == [101])
            let packets = try report(on: 1, at: .ms(20))
            #expect(packets.map(\.header.ssrc) == (hasSource ? [201] : []))
            #expect(packets.allSatisfy { $0.payload.isEmpty && $0.extensions.transportSequence == 1 })
            #expect(try report(on: 1, at: .ms(30)).isEmpty && report(on: 0, at: .ms(30)).isEmpty)
            #expect(bench.statistics(of: 1).paddingPacketsSent == (hasSource ? 1 : 0))
        }
    }

    @Test("report blocks give loss and round trip")
    func receiverReports() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .zero)
        _ = bench.drain(at: .zero)
        let block = ReportBlock(
            ssrc: 101, fractionLost: 128, lastSenderReport: Bench.clock.time(at: .zero).compact,
            delaySinceSenderReport: NTPTime.compactUnits(.milliseconds(500)))
        let bytes = written { ReceiverReport.write(ssrc: 1, blocks: [block, ReportBlock(ssrc: 7)], into: &$0) }
        try bench.receive(bytes, at: .ms(750))
        #expect(bench.roundTrip == .milliseconds(250))
        #expect(bench.statistics(of: 1).report.fractionLost == 0.5)
        #expect(bench.statistics(of: 1).report.roundTrip == .milliseconds(250))
    }

    @Test("the resend interval follows the round trip, up to a bound")
    func resendInterval() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 1, isKey: true), on: 1, at: .zero)
        _ = bench.drain(at: .zero)
        let block = ReportBlock(ssrc: 101, lastSenderReport: Bench.clock.time(at: .zero).compact)
        let bytes = written { ReceiverReport.write(ssrc: 1, blocks: [block], into: &$0) }
        try bench.receive(bytes, at: .ms(900))
        _ = bench.drain(at: .ms(900))
        try bench.nack([0], at: .ms(1_000))
        try bench.nack([0], at: .ms(1_199))
        try bench.nack([0], at: .ms(1_200))
        #expect(try bench.media(at: .ms(1_200)).count == 2)
    }

    @Test("a reference time is answered at once, from the source that it names")
    func referenceTimes() throws {
        let bench = Bench()
        for (sender, media) in [(101, 101), (555, 100)] as [(UInt32, UInt32)] {
            let time = NTPTime(rawValue: 0x0000_1111_2222_3333)
            let bytes = written { ExtendedReport.write(referenceTime: time, sender: sender, into: &$0) }
            try bench.receive(bytes, at: .ms(1_000))
            #expect(try #require(bench.nextDeadline) <= .ms(1_000))
            let answers = bench.control(at: .ms(1_500))
            let delay = ExtendedReport.Delay(ssrc: sender, lastReport: 0x1111_2222, delay: 0x8000)
            #expect(answers == [written { ExtendedReport.write(delay, sender: media, into: &$0) }])
        }
        #expect(bench.nextDeadline == nil)
    }

    @Test("a flood of reference times is answered eight at a time")
    func referenceTimeFlood() throws {
        let bench = Bench()
        for sender in 1...100 as ClosedRange<UInt32> {
            let bytes = written { ExtendedReport.write(referenceTime: NTPTime(rawValue: 1), sender: sender, into: &$0) }
            try bench.receive(bytes, at: .zero)
        }
        #expect(bench.control(at: .zero).count == RTPLimits.maxPendingReferenceTimes)
    }

    @Test("transport-wide feedback tells what became of packets")
    func feedback() throws {
        let bench = Bench()
        bench.send(try pictures(packets: 3, isKey: true), on: 1, at: .ms(5))
        _ = bench.drain(at: .ms(5))
        let bytes = written {
            _ = TransportFeedback.write(
                sender: 1, media: 101, baseSequence: 0, feedbackCount: 0, arrivals: [4, nil, 12], maxBytes: 1_200,
                into: &$0)
        }
        try bench.receive(bytes, at: .ms(60))
        #expect(bench.events() == [.feedbackReceived])
        #expect(bench.feedback.map(\.arrival) == [4, nil, 12])
        #expect(bench.feedback.allSatisfy { $0.sentAt == .ms(5) && $0.byteCount > 1_100 })
    }

    @Test("the peer's bitrate estimate is an event")
    func bitrate() throws {
        let bench = Bench()
        let bytes = written { Feedback.writeBitrate(sender: 1, bitsPerSecond: 250_000, ssrcs: [101], into: &$0) }
        try bench.receive(bytes, at: .zero)
        #expect(bench.events() == [.bitrateLimited(250_000)])
    }

    @Test("what precedes a malformed packet counts")
    func malformed() throws {
        let bench = Bench()
        let bytes = written { Feedback.writePictureLoss(sender: 1, media: 101, into: &$0) } + hex("81CD0000")
        #expect(throws: RTPError.badControlPacket(type: 205)) { try bench.receive(bytes, at: .zero) }
        #expect(bench.events() == [.keyFrameRequested(stream: 1)])
    }
}

@Suite struct LossRecoveryTests {
    @Test(
        "with 10 % loss and retransmission every frame arrives whole, in order", arguments: [1, 2, 3] as [UInt64],
        [true, false])
    func recovery(seed: UInt64, retransmission: Bool) throws {
        let bench = Bench(retransmission: retransmission)
        var random = SeededGenerator(seed: seed)
        var depacketizer = VP8Depacketizer()
        var waiting: [UInt16: ParsedPacket] = [:]
        var expected: [[UInt8]] = []
        var received: [[UInt8]] = []
        var nextNumber: UInt16 = 0
        for index in 0..<60 {
            let now = Monotonic.ms(Int64(index) * 33)
            let content = random.bytes(Int.random(in: 1...9_000, using: &random))
            if index < 57 {
                expected.append(content)
                let frame = try videoFrame(
                    content, as: .vp8(VP8PictureID(UInt16(index))), pts: now.nanoseconds, isKey: index == 0)
                #expect(bench.send(frame, on: 1, at: now))
            }
            for packet in try bench.media(at: now) where Int.random(in: 0..<100, using: &random) >= 10 || index > 56 {
                var packet = packet
                if packet.header.ssrc == 201 {
                    packet.header.sequenceNumber = UInt16(packet.payload[0]) << 8 | UInt16(packet.payload[1])
                    packet.payload.removeFirst(2)
                }
                waiting[packet.header.sequenceNumber] = packet
            }
            while let packet = waiting.removeValue(forKey: nextNumber) {
                try depacketizer.receive(packet.payload.rawSpan, DepacketizerInput(packet.header))
                while let frame = depacketizer.pollFrame() { received.append(frame.payload.copied()) }
                nextNumber &+= 1
            }
            let sent = UInt16(bench.statistics(of: 1).packetsSent)
            let missing = (nextNumber..<sent).filter { waiting[$0] == nil }
            if !missing.isEmpty { try bench.nack(missing, at: now + .milliseconds(5)) }
        }
        #expect(received == expected)
    }
}
