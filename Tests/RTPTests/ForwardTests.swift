import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A sender with one video (0) and one audio (1) stream that forwards what others sent.
private final class Bench {
    static let clock = NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero)
    var sender = RTPSender(
        clock: clock, cname: InlineBytes("cname") ?? InlineBytes(), targetBitrate: 3_000_000)

    init() {
        for (kind, ssrc) in [(MediaKind.video, 100 as UInt32), (.audio, 101)] {
            var configuration = SendStream.Configuration(
                kind: kind, ssrc: ssrc, payloadType: 96, clockRate: kind == .video ? 90_000 : 48_000,
                firstSequenceNumber: 65_534, timestampOffset: 1_000)
            if kind == .video {
                configuration.extensions[.dependencyDescriptor] = 9
                configuration.retransmission = .init(ssrc: 200, payloadType: 97, firstSequenceNumber: 0)
            }
            _ = sender.addStream(configuration)
        }
    }

    @discardableResult
    func forward(
        _ number: Int64, source: UInt32 = 1, timestamp: UInt32 = 0, pts: Int64 = 0, key: Bool = false,
        payload: [UInt8] = [7], descriptor: [UInt8]? = nil, on stream: Int = 0, at now: Monotonic = .zero
    ) -> Bool {
        sender.forward(
            ForwardedPacket(
                source: source, sequenceNumber: number, timestamp: timestamp, marker: true,
                payload: SlabSlice(copying: payload), pts: pts, beginsKeyFrame: key,
                descriptor: descriptor.map { SlabSlice(copying: $0) }), on: stream, at: now)
    }

    func drain(at now: Monotonic = .zero) throws -> [ParsedPacket] {
        var packets: [ParsedPacket] = []
        while true {
            var kind: RTPSender.Transmit?
            let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
            guard let kind else { return packets }
            if kind != .control { packets.append(try ParsedPacket(bytes, map: HeaderExtensionMap())) }
        }
    }

    func report(at now: Monotonic) throws -> SenderReport? {
        while true {
            var kind: RTPSender.Transmit?
            let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
            guard let kind else { return nil }
            guard kind == .control else { continue }
            var reader = RTCPReader(bytes.rawSpan)
            guard let packet = try reader.next(), packet.type == RTCPType.senderReport else { continue }
            return try packet.senderReport()
        }
    }

    func nack(_ numbers: [UInt16], at now: Monotonic) throws {
        let bytes = written {
            _ = Feedback.writeNack(sender: 1, media: 100, sequenceNumbers: numbers, maxBytes: 1_200, into: &$0)
        }
        try sender.receiveControl(bytes.rawSpan, at: now)
    }

    func events() -> [RTPSender.Event] {
        var events: [RTPSender.Event] = []
        while let event = sender.pollEvent() { events.append(event) }
        return events
    }
}

@Suite struct ForwardTests {
    @Test("a picture begins with a key frame, which is asked for")
    func begin() throws {
        let bench = Bench()
        #expect(!bench.forward(10))
        #expect(bench.events() == [.keyFrameRequested(stream: 0)])
        #expect(bench.forward(11, key: true))
        #expect(bench.forward(12))
        #expect(try bench.drain().map(\.header.sequenceNumber) == [65_534, 65_535])
    }

    @Test("sound begins at once")
    func sound() throws {
        let bench = Bench()
        #expect(bench.forward(5, on: 1))
        #expect(try bench.drain().map(\.header.ssrc) == [101])
    }

    @Test("gaps and order of the source stay as they are, and late packets find their places")
    func gaps() throws {
        let bench = Bench()
        for number in [100, 101, 104, 103, 102] as [Int64] { bench.forward(number, key: number == 100) }
        #expect(try bench.drain().map(\.header.sequenceNumber) == [65_534, 65_535, 2, 1, 0])
        bench.forward(105)
        #expect(try bench.drain().map(\.header.sequenceNumber) == [3])
    }

    @Test("what is older than the first packet is dropped")
    func tooLate() throws {
        let bench = Bench()
        bench.forward(100, key: true)
        #expect(!bench.forward(99))
        #expect(!bench.forward(98, key: true))
        #expect(try bench.drain().count == 1)
    }

    @Test("times of the source go on with one offset")
    func times() throws {
        let bench = Bench()
        bench.forward(1, timestamp: 0xFFFF_FF00, pts: 2_000_000_000, key: true)
        bench.forward(2, timestamp: 0xFFFF_FF00 &+ 3_000, pts: 2_040_000_000)
        // 1,000 and two seconds of ticks; then the source's own step, whatever the clocks say.
        #expect(try bench.drain().map(\.header.timestamp) == [181_000, 184_000])
    }

    @Test("another source takes over with its key frame, without a gap of numbers")
    func change() throws {
        let bench = Bench()
        bench.forward(10, source: 1, timestamp: 5, pts: 0, key: true)
        #expect(!bench.forward(900, source: 2))
        bench.forward(11, source: 1, timestamp: 3_005, pts: 33_333_333)
        bench.forward(901, source: 2, timestamp: 70_000, pts: 66_666_667, key: true)
        // The old source has no place any more.
        #expect(!bench.forward(12, source: 1))
        bench.forward(902, source: 2, timestamp: 73_000, pts: 100_000_000)
        let packets = try bench.drain()
        #expect(packets.map(\.header.sequenceNumber) == [65_534, 65_535, 0, 1])
        #expect(packets.map(\.header.timestamp) == [1_000, 4_000, 7_000, 10_000])
    }

    @Test("a stream that paused unwatched goes on with any packet of its source, without a gap of numbers")
    func resume() throws {
        let bench = Bench()
        bench.sender.resumeForwarding(on: 0)
        #expect(!bench.forward(9), "it never began")
        bench.forward(10, timestamp: 5, pts: 0, key: true)
        bench.sender.resumeForwarding(on: 0)
        #expect(!bench.forward(900, source: 2), "another source still needs a key frame")
        bench.forward(500, timestamp: 9_005, pts: 100_000_000)
        bench.forward(499, timestamp: 6_005, pts: 66_666_667)
        bench.forward(501, timestamp: 12_005, pts: 133_333_333)
        let packets = try bench.drain()
        #expect(packets.map(\.header.sequenceNumber) == [65_534, 65_535, 0])
        #expect(packets.map(\.header.timestamp) == [1_000, 10_000, 13_000])
        bench.sender.resumeForwarding(on: 0)
        bench.sender.requireKeyFrame(on: 0)
        #expect(!bench.forward(700), "a key frame was required since")
    }

    @Test("a packet of padding keeps its number and carries nothing")
    func padding() throws {
        let bench = Bench()
        bench.forward(1, key: true)
        bench.forward(2, payload: [])
        bench.forward(3)
        let packets = try bench.drain()
        #expect(packets.map(\.payload) == [[7], [], [7]])
        #expect(packets[1].header.paddingCount == 1)
    }

    @Test("forwarded packets are sent again when the peer asks")
    func retransmission() throws {
        let bench = Bench()
        bench.forward(1, key: true, payload: [1, 2, 3])
        bench.forward(2, payload: [4])
        _ = try bench.drain()
        try bench.nack([65_534], at: .ms(30))
        let again = try bench.drain(at: .ms(30))
        #expect(again.map(\.header.ssrc) == [200])
        #expect(again.map(\.payload) == [[0xFF, 0xFE, 1, 2, 3]])
        // What never came cannot be sent.
        try bench.nack([5], at: .ms(60))
        #expect(try bench.drain(at: .ms(60)).isEmpty)
    }

    @Test("dependency descriptors go on unchanged with the id of this peer, when sent again too")
    func descriptors() throws {
        let bench = Bench()
        let long = [UInt8](repeating: 5, count: 40)
        bench.forward(1, key: true, descriptor: long)
        bench.forward(2, descriptor: [1, 2, 3])
        bench.forward(3, descriptor: [1, 2, 3], on: 1)
        func found() throws -> [[UInt8]] {
            var found: [[UInt8]] = []
            while true {
                var kind: RTPSender.Transmit?
                let bytes = written { kind = bench.sender.pollTransmit(into: &$0, at: .ms(30)) }
                guard let kind else { return found }
                guard kind != .control else { continue }
                let header = try RTPHeader(parsing: bytes.rawSpan)
                var reader = HeaderExtensionReader(header, of: bytes.rawSpan)
                let element = try reader.next()
                found.append(element.map { $0.id == 9 ? Array(bytes[$0.data]) : [] } ?? [])
            }
        }
        // Sound has no id for it.
        #expect(try found() == [long, [1, 2, 3], []])
        try bench.nack([65_534, 65_535], at: .ms(30))
        #expect(try found() == [long, [1, 2, 3]])
        #expect(!bench.forward(4, payload: Array(repeating: 0, count: RTPLimits.maxForwardedBytes), descriptor: [1]))
    }

    @Test("payloads that would not fit into a datagram with our headers are dropped")
    func size() {
        let bench = Bench()
        #expect(bench.forward(1, key: true, payload: Array(repeating: 0, count: RTPLimits.maxForwardedBytes)))
        #expect(!bench.forward(2, payload: Array(repeating: 0, count: RTPLimits.maxForwardedBytes + 1)))
    }

    @Test("sender reports tell where the source's clock stands, not where ours would")
    func reports() throws {
        let bench = Bench()
        bench.forward(1, timestamp: 0, pts: 0, key: true)
        _ = try bench.drain()
        // The source's clock runs slow: one second of ticks took 1.1 s.
        bench.forward(2, timestamp: 90_000, pts: 1_100_000_000, at: .ms(1_100))
        _ = try bench.drain(at: .ms(1_100))
        let report = try #require(try bench.report(at: .ms(2_100)))
        #expect(report.rtpTimestamp == 1_000 + 90_000 + 90_000)
        #expect(report.packetCount == 2)
    }

    @Test("a poll that comes too rarely loses packets, and says so")
    func overflow() {
        let bench = Bench()
        for number in 0..<Int64(RTPLimits.maxPendingForwards) {
            #expect(bench.forward(number, key: number == 0))
        }
        #expect(!bench.forward(Int64(RTPLimits.maxPendingForwards)))
        #expect(bench.sender.statistics(of: 0).framesDropped == 1)
    }
}
