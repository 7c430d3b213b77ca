package import Bytes
import Media

/// Spreads what one peer is sent so that a key frame does not overflow the queues on the way, and otherwise stays out
/// of the way: audio and frames of usual size leave at once.
///
/// A leaky bucket lets a burst pass and then drains at a multiple of the target bitrate, faster when needed to empty
/// the queue within `drainTime`. Audio is never held. Retransmissions go before video. Frames are held by reference;
/// nothing is allocated after the pacer was made.
package struct Pacer: ~Copyable {
    /// Drain rate over target bitrate: 5/2, as WebRTC senders use, leaves room for key frames and retransmissions.
    package static let rateFactor = (numerator: 5, denominator: 2)
    /// Bytes that leave without pacing: what the target bitrate makes in this time (three frames of 30 a second) …
    package static let burstTime = Interval.milliseconds(100)
    /// … but at least 20 packets and at most 64 KiB, which any receiver's socket buffer takes.
    package static let burstBytes = 24 * 1024...64 * 1024
    /// The queue is emptied within this time even when that takes a higher rate.
    package static let drainTime = Interval.milliseconds(100)
    /// A video frame that waited so long leaves at once.
    package static let latencyCap = Interval.milliseconds(200)
    /// Once held, packets are let go in groups of this much time, so that they share wake-ups and system calls.
    package static let quantum = Interval.milliseconds(5)
    /// Headers, tag, UDP and IP of one packet, for the account.
    package static let packetOverheadBytes = 70
    /// The RTP header with its extensions: what an estimate of the path counts of it.
    static let headerBytes = 24
    /// A queue whose first frame waited so long is not being sent at all, so that new frames are refused.
    package static let stallTime = Interval.milliseconds(500)
    package static let audioCapacity = 64
    package static let videoCapacity = 256
    package static let retransmissionCapacity = 1_024

    /// A path whose limit is known is paced so much faster than its estimate: to catch up, but not to make queues.
    package static let limitedFactor = (numerator: 9, denominator: 8)
    /// Then no more than this time's bytes leave at once …
    package static let limitedBurstTime = Interval.milliseconds(10)
    /// … and new frames of the highest layer are refused while the queue without key frames needs longer than this, or
    /// the whole queue twice as long.
    package static let maxQueueTime = Interval.milliseconds(250)
    /// What waits to be sent again is bounded likewise.
    package static let maxRetransmissionTime = Interval.milliseconds(150)
    /// Key frames are asked for again once it needs less than this.
    package static let calmQueueTime = Interval.milliseconds(100)

    /// What to write next.
    package enum Item: Sendable {
        case fragment(stream: Int, frame: PacketizedFrame, index: Int, timestamp: UInt32)
        case retransmission(stream: Int, sequenceNumber: UInt16)
    }

    private struct QueuedFrame {
        var stream: Int
        var frame: PacketizedFrame
        var timestamp: UInt32
        var queuedAt: Monotonic
    }

    private struct Retransmission {
        var stream: Int
        var sequenceNumber: UInt16
        var byteCount: Int
    }

    private var audio = RingDeque<QueuedFrame>(capacity: audioCapacity)
    private var audioIndex = 0
    private var video = RingDeque<QueuedFrame>(capacity: videoCapacity)
    private var videoIndex = 0
    private var retransmissions = RingDeque<Retransmission>(capacity: retransmissionCapacity)
    /// Bytes of video that wait.
    package private(set) var queuedBytes = 0
    /// Those that are of key frames.
    private var queuedKeyBytes = 0
    private var queuedRetransmissionBytes = 0
    private var wasRetransmission = false

    /// Bits a second of all video encoders that feed this peer.
    package var targetBitrate: Int { didSet { setRate() } }
    /// What the path carries, bits a second, when that is less than can be offered to it: then nothing leaves faster
    /// for being late, and the queue grows instead. Nil on paths without a known limit.
    package var pathBitrate: Int? { didSet { if pathBitrate != oldValue { setRate() } } }
    /// Bytes a second.
    private var baseRate = 0
    private var burstLimit = 0
    /// Rate that the present queue needs; 0 when nothing waits.
    private var drainRate = 0
    /// When everything sent so far will have drained at the rate it was sent with.
    private var drainedAt = Monotonic.zero
    private var heldUntil: Monotonic?

    package init(targetBitrate: Int) {
        self.targetBitrate = targetBitrate
        setRate()
    }

    /// Queues a frame's packets. False, and nothing queued, when sending is stalled.
    package mutating func enqueue(
        _ frame: PacketizedFrame, stream: Int, timestamp: UInt32, at now: Monotonic
    ) -> Bool {
        guard !frame.fragments.isEmpty else { return true }
        let queued = QueuedFrame(stream: stream, frame: frame, timestamp: timestamp, queuedAt: now)
        if frame.kind == .audio { return audio.append(queued) }
        let patience = pathBitrate == nil ? Self.stallTime : Self.stallTime * 2
        if let first = video.first, now - first.queuedAt > patience { return false }
        guard video.append(queued) else { return false }
        let bytes = frame.byteCount + frame.fragments.count * Self.packetOverheadBytes
        queuedBytes += bytes
        if frame.isKey { queuedKeyBytes += bytes }
        drainRate = max(drainRate, queuedBytes * 1_000 / Int(Self.drainTime.milliseconds))
        return true
    }

    /// Queues a packet that is to be sent again. False when too many wait already: what a full path lost must not take
    /// the place of what is new.
    package mutating func enqueueRetransmission(stream: Int, sequenceNumber: UInt16, byteCount: Int) -> Bool {
        if pathBitrate != nil, time(for: queuedRetransmissionBytes) > Self.maxRetransmissionTime { return false }
        let isTaken = retransmissions.append(
            Retransmission(stream: stream, sequenceNumber: sequenceNumber, byteCount: byteCount))
        if isTaken { queuedRetransmissionBytes += byteCount + Self.headerBytes }
        return isTaken
    }

    /// The packet that may leave now, which the caller sends; nil when nothing waits or all is held until
    /// `nextDeadline`.
    package mutating func next(at now: Monotonic) -> Item? {
        if let queued = audio.first {
            let index = audioIndex
            audioIndex += 1
            if audioIndex == queued.frame.fragments.count {
                _ = audio.popFirst()
                audioIndex = 0
            }
            // The estimate of a path is that of the packets with transport-wide numbers, which audio often has not.
            if pathBitrate == nil { charge(queued.frame.fragments[index].byteCount, at: now) }
            return .fragment(stream: queued.stream, frame: queued.frame, index: index, timestamp: queued.timestamp)
        }
        let isOpen = isOpen(at: now)
        // On a limited path new packets and old ones take turns.
        let isVideosTurn = pathBitrate != nil && wasRetransmission && !video.isEmpty
        if isOpen, !isVideosTurn, let item = popRetransmission(at: now) { return item }
        let isLate = pathBitrate == nil && video.first.map { $0.queuedAt + Self.latencyCap <= now } ?? false
        return isOpen || isLate ? popVideo(at: now) : nil
    }

    /// What waits, pace or not: for bandwidth probes.
    package mutating func nextInBurst(at now: Monotonic) -> Item? {
        popRetransmission(at: now) ?? popVideo(at: now)
    }

    private mutating func popRetransmission(at now: Monotonic) -> Item? {
        guard let retransmission = retransmissions.popFirst() else { return nil }
        charge(retransmission.byteCount, at: now)
        queuedRetransmissionBytes -= retransmission.byteCount + Self.headerBytes
        wasRetransmission = true
        return .retransmission(stream: retransmission.stream, sequenceNumber: retransmission.sequenceNumber)
    }

    private mutating func popVideo(at now: Monotonic) -> Item? {
        guard let queued = video.first else { return nil }
        wasRetransmission = false
        let index = videoIndex
        videoIndex += 1
        let bytes = queued.frame.fragments[index].byteCount + Self.packetOverheadBytes
        queuedBytes -= bytes
        if queued.frame.isKey { queuedKeyBytes -= bytes }
        if videoIndex == queued.frame.fragments.count {
            _ = video.popFirst()
            videoIndex = 0
        }
        defer { if video.isEmpty { drainRate = 0 } }
        charge(queued.frame.fragments[index].byteCount, at: now)
        return .fragment(stream: queued.stream, frame: queued.frame, index: index, timestamp: queued.timestamp)
    }

    /// When `next` gives something again; in the past when it does so already, nil when nothing waits.
    package var nextDeadline: Monotonic? {
        if !audio.isEmpty { return .zero }
        guard !video.isEmpty || !retransmissions.isEmpty else { return nil }
        let opens = heldUntil ?? .zero
        guard let first = video.first, pathBitrate == nil else { return opens }
        return min(opens, first.queuedAt + Self.latencyCap)
    }

    package var isEmpty: Bool { audio.isEmpty && video.isEmpty && retransmissions.isEmpty }

    /// What the queue needs at the present pace.
    package var queueTime: Interval { time(for: queuedBytes) }
    /// Likewise without key frames.
    package var deltaQueueTime: Interval { time(for: queuedBytes - queuedKeyBytes) }

    private mutating func setRate() {
        let target = max(targetBitrate, 64_000)
        if let pathBitrate {
            let rate = max(pathBitrate, 64_000) / 8
            baseRate = rate * Self.limitedFactor.numerator / Self.limitedFactor.denominator
            burstLimit = max(rate * Int(Self.limitedBurstTime.milliseconds) / 1_000, 2 * RTPLimits.maxDatagramBytes)
            return
        }
        baseRate = target / 8 * Self.rateFactor.numerator / Self.rateFactor.denominator
        let bytes = target / 8 * Int(Self.burstTime.milliseconds) / 1_000
        burstLimit = min(max(bytes, Self.burstBytes.lowerBound), Self.burstBytes.upperBound)
    }

    /// Closes once the burst is used up and opens again when a quantum has drained.
    private mutating func isOpen(at now: Monotonic) -> Bool {
        if let until = heldUntil {
            guard until <= now else { return false }
            heldUntil = nil
        }
        let full = drainedAt - time(for: burstLimit)
        guard full > now else { return true }
        heldUntil = full + Self.quantum
        return false
    }

    private mutating func charge(_ payloadBytes: Int, at now: Monotonic) {
        let overhead = pathBitrate == nil ? Self.packetOverheadBytes : Self.headerBytes
        drainedAt = max(drainedAt, now) + time(for: payloadBytes + overhead)
    }

    /// What `bytes` take at the present rate.
    private func time(for bytes: Int) -> Interval {
        let rate = pathBitrate == nil ? max(baseRate, drainRate) : baseRate
        return Interval(nanoseconds: Int64(bytes) * 1_000_000_000 / Int64(rate))
    }
}
