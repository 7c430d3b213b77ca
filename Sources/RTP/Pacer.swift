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
    /// A queue whose first frame waited so long is not being sent at all, so that new frames are refused.
    package static let stallTime = Interval.milliseconds(500)
    package static let audioCapacity = 64
    package static let videoCapacity = 256
    package static let retransmissionCapacity = 1_024

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

    /// Bits a second of all video encoders that feed this peer.
    package var targetBitrate: Int { didSet { setRate() } }
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
        if let first = video.first, now - first.queuedAt > Self.stallTime { return false }
        guard video.append(queued) else { return false }
        queuedBytes += frame.byteCount + frame.fragments.count * Self.packetOverheadBytes
        drainRate = max(drainRate, queuedBytes * 1_000 / Int(Self.drainTime.milliseconds))
        return true
    }

    /// Queues a packet that is to be sent again. False when too many wait already.
    package mutating func enqueueRetransmission(stream: Int, sequenceNumber: UInt16, byteCount: Int) -> Bool {
        retransmissions.append(
            Retransmission(stream: stream, sequenceNumber: sequenceNumber, byteCount: byteCount))
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
            return charge(queued, index, at: now)
        }
        let isOpen = isOpen(at: now)
        if isOpen, let retransmission = retransmissions.popFirst() {
            charge(retransmission.byteCount, at: now)
            return .retransmission(stream: retransmission.stream, sequenceNumber: retransmission.sequenceNumber)
        }
        guard let queued = video.first, isOpen || queued.queuedAt + Self.latencyCap <= now else { return nil }
        let index = videoIndex
        videoIndex += 1
        queuedBytes -= queued.frame.fragments[index].byteCount + Self.packetOverheadBytes
        if videoIndex == queued.frame.fragments.count {
            _ = video.popFirst()
            videoIndex = 0
        }
        defer { if video.isEmpty { drainRate = 0 } }
        return charge(queued, index, at: now)
    }

    /// When `next` gives something again; in the past when it does so already, nil when nothing waits.
    package var nextDeadline: Monotonic? {
        if !audio.isEmpty { return .zero }
        guard !video.isEmpty || !retransmissions.isEmpty else { return nil }
        let opens = heldUntil ?? .zero
        guard let first = video.first else { return opens }
        return min(opens, first.queuedAt + Self.latencyCap)
    }

    package var isEmpty: Bool { audio.isEmpty && video.isEmpty && retransmissions.isEmpty }

    private mutating func setRate() {
        let target = max(targetBitrate, 64_000)
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

    private mutating func charge(_ queued: QueuedFrame, _ index: Int, at now: Monotonic) -> Item {
        charge(queued.frame.fragments[index].byteCount, at: now)
        return .fragment(stream: queued.stream, frame: queued.frame, index: index, timestamp: queued.timestamp)
    }

    private mutating func charge(_ payloadBytes: Int, at now: Monotonic) {
        drainedAt = max(drainedAt, now) + time(for: payloadBytes + Self.packetOverheadBytes)
    }

    /// What `bytes` take at the present rate.
    private func time(for bytes: Int) -> Interval {
        Interval(nanoseconds: Int64(bytes) * 1_000_000_000 / Int64(max(baseRate, drainRate)))
    }
}
