import Bytes
import Media
import RTP
import TestSupport
import Testing

/// A publisher of three layers and a viewer of one of them, 40 ms each way apart from the server between them.
private final class SwitchWorld {
    static let delay = Interval.milliseconds(40)
    static let ssrcs: [UInt32] = [10, 20, 30]

    var receiver = makeReceiver([.video(rids: ["q", "h", "f"])])
    var sender = RTPSender(
        clock: NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero), cname: InlineBytes("cname") ?? InlineBytes(),
        targetBitrate: 3_000_000)
    /// Milliseconds between the publisher's own key frames; nil when it makes them on request alone.
    let keyInterval: Int64?
    var wish = 0
    var current: Int?
    /// When the picture's layer changed, and to what.
    var changes: [(at: Monotonic, layer: Int)] = []
    /// Sources that were asked for key frames.
    var asked: [UInt32] = []
    var sentNumbers: [UInt16] = []
    private var owed: Set<UInt32> = [10, 20, 30]
    private var requests: [(at: Monotonic, ssrc: UInt32)] = []
    private var packets: [(at: Monotonic, packet: PublishedPacket)] = []
    private var number: UInt16 = 0

    init(keyInterval: Int64?) {
        self.keyInterval = keyInterval
        _ = sender.addStream(
            SendStream.Configuration(
                kind: .video, ssrc: 1, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 0, timestampOffset: 0))
    }

    func run(from start: Int64, to end: Int64) throws {
        for time in start..<end {
            let now = Monotonic.ms(time)
            if time % 33 == 0 { publish(time, at: now) }
            for (_, packet) in packets.filter({ $0.at <= now }) {
                for received in try receiver.take(packet, at: now) { forward(received, at: now) }
            }
            packets.removeAll { $0.at <= now }
            for datagram in try receiver.control(at: now) {
                for ssrc in datagram.pictureLosses {
                    asked.append(ssrc)
                    requests.append((now + Self.delay, ssrc))
                }
            }
        }
    }

    private func publish(_ time: Int64, at now: Monotonic) {
        if keyInterval == nil { owed.formUnion(requests.filter { $0.at <= now }.map(\.ssrc)) }
        requests.removeAll { $0.at <= now }
        if let keyInterval, time % keyInterval < 33 { owed = Set(Self.ssrcs) }
        for (ssrc, rid) in zip(Self.ssrcs, ["q", "h", "f"]) {
            let isKey: UInt8 = owed.remove(ssrc) == nil ? 0 : 1
            packets.append(
                (
                    now + Self.delay,
                    PublishedPacket(
                        ssrc: ssrc, number: number, timestamp: UInt32(time * 90), marker: true, payload: [isKey],
                        mid: "1", rid: rid)
                ))
        }
        number &+= 1
    }

    /// As viewers of the local room have it: the old layer goes on until the new one has a key frame.
    private func forward(_ packet: ReceivedPacket, at now: Monotonic) {
        let isKey = packet.payload.bytes[0] == 1
        if isKey { receiver.noteKeyFrame(stream: packet.stream) }
        guard packet.stream == current || packet.stream == wish && isKey else { return }
        if packet.stream != current {
            current = packet.stream
            changes.append((now, packet.stream))
        }
        sender.forward(
            ForwardedPacket(
                source: UInt32(packet.stream), sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp,
                marker: packet.marker, payload: packet.payload, pts: now.nanoseconds, beginsKeyFrame: isKey), on: 0,
            at: now)
        var kind: RTPSender.Transmit?
        repeat {
            let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
            if case .media = kind, let header = try? RTPHeader(parsing: bytes.rawSpan) {
                sentNumbers.append(header.sequenceNumber)
            }
        } while kind != nil
    }

    func select(_ layer: Int) {
        wish = layer
        receiver.requestKeyFrame(stream: layer)
    }
}

@Suite struct LayerSwitchTests {
    @Test(
        "a viewer has its layer after a round trip, or with the key frames of a publisher that is deaf to requests",
        arguments: [(nil, 150), (1_000, 1_000)] as [(Int64?, Int64)])
    func switching(keyInterval: Int64?, bound: Int64) throws {
        let world = SwitchWorld(keyInterval: keyInterval)
        try world.run(from: 0, to: 2_500)
        #expect(world.current == 0)
        world.asked = []
        var time: Int64 = 2_500
        for layer in [2, 1, 0] {
            world.select(layer)
            try world.run(from: time, to: time + 2_000)
            let change = try #require(world.changes.last)
            #expect(change.layer == layer)
            #expect(change.at - .ms(time) <= .milliseconds(bound))
            time += 2_000
        }
        // Nobody else's key frames were asked for, and those once where requests are heard.
        #expect(Set(world.asked) == Set(SwitchWorld.ssrcs))
        if keyInterval == nil { #expect(world.asked == [30, 20, 10]) }
        #expect(world.sentNumbers == (0..<UInt16(world.sentNumbers.count)).map(\.self))
    }
}
