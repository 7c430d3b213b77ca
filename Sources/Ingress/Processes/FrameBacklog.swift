package import Bytes
package import Media

/// Decides which frames a child that is behind still gets: none while too much waits, then sound at once and pictures from the
/// next key frame on. Never more waits than the bound and one frame.
package struct FrameBacklog: ~Copyable {
    /// Frames whose bytes may wait at the same time; a session has about 110 a second.
    package static let capacity = 1_024

    private struct Mark {
        /// Bytes ever written to the connection up to the frame's end.
        var end: UInt64
        var writtenAt: Monotonic
    }

    private let maxBytes: Int
    private let maxAge: Interval
    private var waiting = RingDeque<Mark>(capacity: capacity)
    private var awaitsKeyFrame = false
    /// Frames that were not written.
    package private(set) var dropped: UInt64 = 0

    /// What may wait: bytes, and how long the oldest frame.
    package init(maxBytes: Int, maxAge: Interval) {
        self.maxBytes = maxBytes
        self.maxAge = maxAge
    }

    /// Whether the frame is to be written. `sent`: bytes that ever left; `queued`: bytes that wait.
    package mutating func admits(_ kind: MediaKind, isKey: Bool, sent: UInt64, queued: Int, at now: Monotonic) -> Bool {
        while let first = waiting.first, first.end <= sent { _ = waiting.popFirst() }
        let isBehind = queued > maxBytes || waiting.isFull || age(at: now) > maxAge
        let isAdmitted: Bool
        switch kind {
        case .audio: isAdmitted = !isBehind
        case .video:
            isAdmitted = !isBehind && (!awaitsKeyFrame || isKey)
            awaitsKeyFrame = !isAdmitted
        }
        if !isAdmitted { dropped &+= 1 }
        return isAdmitted
    }

    /// An admitted frame was written; `end` as in `sent`.
    package mutating func wrote(upTo end: UInt64, at now: Monotonic) { waiting.append(Mark(end: end, writtenAt: now)) }

    /// A frame was lost for another reason; a picture that builds on it is no use.
    package mutating func lost(_ kind: MediaKind) {
        dropped &+= 1
        if kind == .video { awaitsKeyFrame = true }
    }

    /// How long the oldest frame has waited, as of the last `admits`.
    package func age(at now: Monotonic) -> Interval { waiting.first.map { now - $0.writtenAt } ?? .zero }
}
