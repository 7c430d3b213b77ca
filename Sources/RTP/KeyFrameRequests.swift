import Bytes

/// When to ask one stream's source for a key frame.
struct KeyFrameRequests: Sendable {
    private var isWanted = false
    private var askedAt: Monotonic?
    /// Since the last request, another one was called for.
    private var isUrgent = false
    /// Numbers the requests of RFC 5104. Repeats are requests of their own, as what was asked for may have been lost.
    private(set) var sequence: UInt8 = 0

    mutating func request() {
        isWanted = true
        isUrgent = true
    }

    mutating func noteKeyFrame() {
        isWanted = false
        isUrgent = false
    }

    /// When to ask next; nil when nothing is wanted.
    func deadline(roundTrip: Interval) -> Monotonic? {
        guard isWanted else { return nil }
        guard let askedAt else { return .zero }
        let pause =
            isUrgent
            ? max(roundTrip, RTPLimits.minKeyFrameRequestInterval) : RTPLimits.keyFrameRequestRepeat
        return askedAt + pause
    }

    mutating func noteAsked(at now: Monotonic) {
        sequence &+= 1
        isUrgent = false
        askedAt = now
    }
}
