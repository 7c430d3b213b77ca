import Bytes
import Media
import RTP
import TestSupport

/// A bottleneck in virtual time: a rate, a queue of limited length behind it, then delay, jitter and loss.
struct Bottleneck {
    /// Bits a second; nil has no limit.
    var capacity: Int?
    /// A packet that would wait longer is dropped.
    var maxQueue = Interval.milliseconds(250)
    var delay = Interval.milliseconds(25)
    var jitter = Interval.zero
    /// With jitter: packets overtake each other.
    var reorders = false
    var loss = 0.0
    private(set) var freeAt = Monotonic.zero
    private var lastOut = Monotonic.zero

    init(capacity: Int? = nil) { self.capacity = capacity }

    func queue(at now: Monotonic) -> Interval { max(freeAt - now, .zero) }

    /// When the packet arrives; nil when the queue is full.
    mutating func arrival(of byteCount: Int, at now: Monotonic, random: inout SeededGenerator) -> Monotonic? {
        if let capacity {
            guard queue(at: now) <= maxQueue else { return nil }
            freeAt = max(freeAt, now) + Interval(nanoseconds: Int64(byteCount) * 8_000_000_000 / Int64(capacity))
        } else {
            freeAt = now
        }
        let extra = Interval(nanoseconds: Int64(random.fraction() * Double(jitter.nanoseconds)))
        let arrival = freeAt + delay + extra
        guard !reorders else { return arrival }
        lastOut = max(lastOut, arrival)
        return lastOut
    }
}

extension SeededGenerator {
    /// 0 ..< 1.
    mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}

/// Encoders of three simulcast layers that follow the estimate, the sender, and a server that answers as livekit-server
/// does: transport-wide feedback in its rhythm, and NACK for what is lost.
final class PathWorld {
    static let layerBitrates = [240_000, 670_000, 1_900_000]
    static let wanted = layerBitrates.reduce(0, +)
    static let rtpOverhead = 44
    /// Sound has no transport-wide numbers; with everything below RTP.
    static let audioBitrate = 86_000
    static let map: HeaderExtensionMap = {
        var map = HeaderExtensionMap()
        map[.transportSequence] = 3
        return map
    }()

    /// Everything that happened in 100 ms.
    struct Slot {
        var sentBytes = 0
        var paddingBytes = 0
        var arrivedBytes = 0
        var lostPackets = 0
        var sentPackets = 0
        var estimate = 0
        var queue = Interval.zero
        var layers = 0
        var framesDropped = 0
    }

    var sender: RTPSender
    /// Does the application follow the estimate?
    var isObedient = true
    /// Does it switch layers off, or share what there is among all of them?
    var switchesLayers = true
    /// What the application makes at most; nil as much as its layers are set to.
    var appLimit: Int?
    var feedbackLoss = 0.0
    var answersFeedback = true
    let link: SharedLink
    private(set) var slots: [Slot] = []
    private(set) var estimates: [Int] = []
    private(set) var now = Monotonic.zero
    private(set) var worstSpin = 0
    private(set) var keyFrames: [(layer: Int, at: Monotonic)] = []
    private var random: SeededGenerator
    private var spin = 0
    private var encoders: [Encoder] = []
    private var nextFrameAt: Monotonic
    private var inbound: [(at: Monotonic, bytes: [UInt8])] = []
    private var arriving: [(at: Monotonic, bytes: [UInt8])] = []
    private var server = FeedbackServer()
    private let video: [Int]
    private let audio: Int
    private var nextAudioAt = Monotonic.zero

    init(
        _ link: SharedLink, retransmission: Bool = true, estimates: Bool = true, numbered: Bool = true,
        seed: UInt64 = 1,
        startingAt start: Monotonic = .zero
    ) {
        self.link = link
        random = SeededGenerator(seed: seed)
        sender = RTPSender(
            clock: NTPClock(NTPTime(rawValue: 1_000 << 32), at: .zero), cname: InlineBytes("c") ?? InlineBytes(),
            targetBitrate: Self.wanted, estimatesBandwidth: estimates, firstTransportSequence: 65_000)
        audio = sender.addStream(
            SendStream.Configuration(
                kind: .audio, ssrc: 99, payloadType: 111, clockRate: 48_000, firstSequenceNumber: 0, timestampOffset: 0)
        )
        var indices: [Int] = []
        for layer in 0..<3 as Range<UInt32> {
            var configuration = SendStream.Configuration(
                kind: .video, ssrc: 100 + layer, payloadType: 96, clockRate: 90_000, firstSequenceNumber: 65_000,
                timestampOffset: 0)
            if retransmission {
                configuration.retransmission = .init(ssrc: 200 + layer, payloadType: 97, firstSequenceNumber: 0)
            }
            if numbered { configuration.extensions = Self.map }
            indices.append(sender.addStream(configuration))
        }
        video = indices
        encoders = Self.layerBitrates.map { Encoder(configured: $0) }
        now = start
        nextFrameAt = start
        nextAudioAt = start
    }

    var isPathLimited: Bool { sender.isPathLimited }

    var wantsEvent: Monotonic {
        var due = min(nextFrameAt, nextAudioAt)
        if let deadline = sender.nextDeadline { due = min(due, deadline) }
        if let first = arriving.first { due = min(due, first.at) }
        if let first = inbound.first { due = min(due, first.at) }
        return max(due, now)
    }

    func run(seconds: Double) {
        let end = now + Interval(nanoseconds: Int64(seconds * 1e9))
        while wantsEvent <= end { step() }
        now = end
    }

    func step() {
        let due = wantsEvent
        spin = due == now ? spin + 1 : 0
        worstSpin = max(worstSpin, spin)
        now = due
        while let first = arriving.first, first.at <= now {
            arriving.removeFirst()
            arrive(first.bytes)
        }
        while let first = inbound.first, first.at <= now {
            inbound.removeFirst()
            do { try sender.receiveControl(first.bytes.rawSpan, at: now) } catch { preconditionFailure("\(error)") }
        }
        if let deadline = sender.nextDeadline, deadline <= now { sender.advance(to: now) }
        if nextFrameAt <= now { encode() }
        if nextAudioAt <= now {
            nextAudioAt += .milliseconds(20)
            if let frame = try? audioFrame(Array(repeating: 7, count: 160), pts: now.nanoseconds) {
                sender.send(frame, on: audio, at: now)
            }
        }
        drain()
    }

    // MARK: - The application

    /// One layer, whose rate control follows within a few frames and keeps its average over key frames.
    struct Encoder {
        let configured: Int
        var target: Double
        var current: Double
        var debt = 0.0
        var isOn = true
        var wantsKey = true
        var framesSinceKey = 0

        init(configured: Int) {
            self.configured = configured
            target = Double(configured)
            current = target
        }

        mutating func nextFrame(noise: Double) -> (bytes: Int, isKey: Bool) {
            current += (target - current) / 4
            let average = current / 8 / 30
            let isKey = wantsKey || framesSinceKey >= 120
            wantsKey = false
            framesSinceKey = isKey ? 0 : framesSinceKey + 1
            let size = isKey ? average * 5 : max(average * 0.4, (average - debt / 12) * (0.7 + 0.6 * noise))
            debt = max(-average * 4, debt + size - average)
            return (max(Int(size), 60), isKey)
        }
    }

    private func encode() {
        nextFrameAt += Interval(nanoseconds: 33_333_333)
        for layer in encoders.indices where encoders[layer].isOn {
            var (bytes, isKey) = encoders[layer].nextFrame(noise: random.fraction())
            if let appLimit { bytes = min(bytes, appLimit / 8 / 30 / encoders.count) }
            if isKey { keyFrames.append((layer, now)) }
            let payload = [UInt8](repeating: isKey ? 0 : 1, count: bytes)
            guard let frame = try? videoFrame(payload, as: .vp8(VP8PictureID(1)), pts: now.nanoseconds, isKey: isKey)
            else { continue }
            let isTaken = sender.send(frame, on: video[layer], at: now)
            slot { $0.framesDropped += isTaken ? 0 : 1 }
        }
    }

    /// Proportional down to a half, then without the highest layer.
    private func follow(_ estimate: Int) {
        estimates.append(estimate)
        guard isObedient else { return }
        let budget = Double(estimate) * 0.93
        var count = encoders.count
        func sum(_ count: Int) -> Double { Double(Self.layerBitrates.prefix(count).reduce(0, +)) }
        while switchesLayers, count > 1, budget < sum(count) * (encoders[count - 1].isOn ? 0.5 : 0.6) { count -= 1 }
        for index in encoders.indices {
            if index < count, !encoders[index].isOn { encoders[index].wantsKey = true }
            encoders[index].isOn = index < count
            encoders[index].target = Double(encoders[index].configured) * min(1, budget / sum(count))
        }
    }

    // MARK: - The path

    private func drain() {
        while true {
            var kind: RTPSender.Transmit?
            let bytes = written { kind = sender.pollTransmit(into: &$0, at: now) }
            guard let kind else { break }
            if case .media = kind { transmit(bytes) }
        }
        while let event = sender.pollEvent() {
            switch event {
            case .keyFrameRequested(let stream):
                if let layer = video.firstIndex(of: stream) { encoders[layer].wantsKey = true }
            case .bandwidthEstimated(let bitrate), .blackOutEnded(let bitrate): follow(bitrate)
            default: break
            }
        }
    }

    private func transmit(_ bytes: [UInt8]) {
        let size = bytes.count + Self.rtpOverhead
        let isPadding = bytes[0] & 0x20 != 0
        let arrival = link.path.arrival(of: size, at: now, random: &random)
        let isLost = random.fraction() < link.path.loss
        slot {
            $0.sentBytes += bytes.count
            $0.paddingBytes += isPadding ? bytes.count : 0
            $0.sentPackets += isPadding ? 0 : 1
            $0.lostPackets += !isPadding && (arrival == nil || isLost) ? 1 : 0
        }
        guard let arrival, !isLost else { return }
        let index = arriving.lastIndex { $0.at <= arrival }.map { $0 + 1 } ?? 0
        arriving.insert((arrival, bytes), at: index)
    }

    private func arrive(_ bytes: [UInt8]) {
        slot { $0.arrivedBytes += bytes.count }
        guard answersFeedback, let packet = try? ParsedPacket(bytes, map: Self.map) else { return }
        for answer in server.receive(packet, at: now) where random.fraction() >= feedbackLoss {
            inbound.append((now + .milliseconds(25), answer))
        }
    }

    private func slot(_ change: (inout Slot) -> Void) {
        let index = Int(now.nanoseconds / 100_000_000)
        while slots.count <= index { slots.append(Slot()) }
        slots[index].estimate = sender.bandwidthEstimate ?? 0
        slots[index].queue = link.path.queue(at: now)
        slots[index].layers = encoders.count { $0.isOn }
        change(&slots[index])
    }
}

/// What several worlds send through.
final class SharedLink {
    var path: Bottleneck
    private var random = SeededGenerator(seed: 99)

    init(_ path: Bottleneck) { self.path = path }

    /// Somebody else's packet.
    func cross(_ byteCount: Int, at now: Monotonic) { _ = path.arrival(of: byteCount, at: now, random: &random) }
}

/// Feedback in the rhythm of livekit-server: once more than 20 packets are held, after 100 ms, after 50 ms at the end
/// of a frame, or at 100 packets.
struct FeedbackServer {
    private var held: [(number: Int64, tick: Int64)] = []
    private var counter = SequenceCounter()
    private var covered: (number: Int64, tick: Int64)?
    private var lastAt = Monotonic.zero
    private var count: UInt8 = 0
    private var highest: [UInt32: UInt16] = [:]
    private var missing: [UInt32: [(number: UInt16, due: Monotonic)]] = [:]

    mutating func receive(_ packet: ParsedPacket, at now: Monotonic) -> [[UInt8]] {
        var answers = nack(packet.header, at: now)
        guard let sequence = packet.extensions.transportSequence else { return answers }
        held.append((counter.unwrap(sequence), now.nanoseconds / 250_000 + 1_000_000))
        let waited = now - lastAt
        guard held.count > 20,
            waited >= .milliseconds(100) || held.count > 100
                || packet.header.marker && waited >= .milliseconds(50)
        else { return answers }
        lastAt = now
        answers += report()
        return answers
    }

    private mutating func report() -> [[UInt8]] {
        held.sort { $0.number < $1.number }
        // The packet that the last report ended with starts this one, so that all between them are told of.
        if let covered, covered.number < held[0].number { held.insert(covered, at: 0) }
        var answers: [[UInt8]] = []
        while let first = held.first, let last = held.last {
            var arrivals: [Int64?] = Array(repeating: nil, count: Int(last.number - first.number) + 1)
            for packet in held { arrivals[Int(packet.number - first.number)] = packet.tick }
            var taken = 0
            let bytes = written {
                taken = TransportFeedback.write(
                    sender: 1, media: 2, baseSequence: UInt16(truncatingIfNeeded: first.number), feedbackCount: count,
                    arrivals: arrivals, maxBytes: 1_200, into: &$0)
            }
            count &+= 1
            answers.append(bytes)
            let end = first.number + Int64(taken)
            covered = held.last { $0.number < end } ?? covered
            held.removeAll { $0.number < end }
        }
        return answers
    }

    /// What is still missing after 60 ms is asked for once.
    private mutating func nack(_ header: RTPHeader, at now: Monotonic) -> [[UInt8]] {
        guard (100..<200).contains(header.ssrc) else { return [] }
        let last = highest[header.ssrc] ?? header.sequenceNumber &- 1
        if header.sequenceNumber.isAhead(of: last) {
            highest[header.ssrc] = header.sequenceNumber
            let gap = (1..<max(header.sequenceNumber &- last, 1)).prefix(200)
            missing[header.ssrc, default: []] += gap.map { (last &+ $0, now + .milliseconds(60)) }
        } else {
            missing[header.ssrc]?.removeAll { $0.number == header.sequenceNumber }
        }
        let due = missing[header.ssrc]?.filter { $0.due <= now }.map(\.number) ?? []
        guard !due.isEmpty else { return [] }
        missing[header.ssrc]?.removeAll { $0.due <= now }
        return [
            written {
                _ = Feedback.writeNack(sender: 1, media: header.ssrc, sequenceNumbers: due, maxBytes: 1_200, into: &$0)
            }
        ]
    }
}
