package import Bytes

/// Short bursts, faster than the estimate, that show whether a path carries more: when one is due, and what came of it.
/// Never allocates.
package struct BandwidthProbing: Sendable {
    /// A burst's length.
    package static let burstTime = Interval.milliseconds(40)
    /// Times the estimate.
    static let factor = 2.0
    /// From the last cut to the first probe, from a probe that succeeded to the next, and from one that failed.
    static let delayAfterCut = Interval.seconds(2)
    static let delayAfterSuccess = Interval.milliseconds(250)
    static func delayAfterFailure(_ failures: Int) -> Interval {
        failures == 0 ? .seconds(2) : failures == 1 ? .milliseconds(3_500) : .seconds(5)
    }
    /// While the estimate is enough, there is no hurry.
    static let idleDelay = Interval.seconds(15)
    /// A cut so soon after a success shows that it was none …
    static let trialTime = Interval.seconds(3)
    /// … and each such doubles the time to the next probe, up to this.
    static let maxDelay = Interval.seconds(20)
    /// What is taken of a probe's rate, when it succeeded and when it found the path's limit.
    static let successShare = 0.9
    static let limitShare = 0.85
    /// A burst that stretched no more than this on the way succeeded.
    static let maxStretch = 0.15
    static let maxLoss = 0.2
    static let minPackets = 6
    /// SRTP's tag, UDP's and IP's headers.
    static let lowerBytes = 44.0
    /// A result that did not come for so long will not come.
    static let patience = Interval.seconds(1)
    static let freshTime = Interval.milliseconds(500)

    /// The burst whose packets are on their way.
    private struct Cluster {
        var first: UInt16
        var last: UInt16
        var endedAt: Monotonic
        var firstSent: Monotonic?
        var lastSent = Monotonic.zero
        var firstTransit = Interval.zero
        var bytes = 0
        var arrived = 0.0
        var lost = 0.0
        var isOver = false
        // Sums for the least-squares line of transit over time of sending, ms.
        var x = 0.0
        var y = 0.0
        var xx = 0.0
        var xy = 0.0

        init(first: UInt16, last: UInt16, endedAt: Monotonic) {
            self.first = first
            self.last = last
            self.endedAt = endedAt
        }

        func contains(_ number: UInt16) -> Bool { number &- first <= last &- first }
    }

    private var cluster: Cluster?
    private var burstAt: Monotonic?
    private var notBefore = Monotonic.zero
    private var failures = 0
    private var falseSuccesses = 0
    private var succeededAt: Monotonic?
    private var isInHurry = false
    /// When the next burst is to begin, nil while none is.
    package var dueAt: Monotonic?
    /// Its rate, bits a second.
    package private(set) var dueBitrate = 0

    init() {}

    /// A burst with these transport-wide numbers has been sent.
    package mutating func recordBurst(first: UInt16, last: UInt16, at now: Monotonic) {
        cluster = Cluster(first: first, last: last, endedAt: now)
        burstAt = now
        dueAt = nil
    }

    /// Whether a queue may be that of a burst.
    func isFresh(at now: Monotonic) -> Bool { burstAt.map { now - $0 < Self.freshTime } ?? false }

    func contains(_ number: UInt16) -> Bool { cluster?.contains(number) ?? false }

    /// No burst could be sent; the next feedback plans anew.
    package mutating func giveUp(at now: Monotonic) {
        dueAt = nil
        notBefore = now + Self.delayAfterCut
    }

    mutating func schedule(rate: Double, wanted: Double, isEnough: Bool, at now: Monotonic) {
        guard cluster == nil else { return }
        let next = isEnough && !isInHurry ? notBefore + Self.idleDelay : notBefore
        dueAt = max(next, now)
        // Some more than wanted, so that what is left of a success is enough.
        dueBitrate = Int(min(rate * Self.factor, wanted * 1.15 / Self.successShare))
    }

    /// `share`: what the cut left of the estimate, or would have.
    mutating func rateWasCut(to share: Double, at now: Monotonic) {
        let isLight = share >= 0.9
        if !isLight, let at = succeededAt, now - at < Self.trialTime {
            falseSuccesses = min(falseSuccesses + 1, 4)
            succeededAt = nil
        }
        isInHurry = false
        cluster = nil
        dueAt = nil
        let delay = isLight ? Self.delayAfterCut / 2 : Self.delayAfterCut * (1 << Int64(falseSuccesses))
        notBefore = max(notBefore, now + min(delay, Self.maxDelay))
    }

    /// True when the packet is of a burst.
    mutating func receive(_ outcome: SentPacketHistory.Outcome, arrival: Monotonic) -> Bool {
        guard var cluster else { return false }
        if outcome.sequenceNumber.isAhead(of: cluster.last) { self.cluster?.isOver = true }
        guard cluster.contains(outcome.sequenceNumber) else { return false }
        let transit = arrival - outcome.sentAt
        let first = cluster.firstSent ?? outcome.sentAt
        if cluster.firstSent == nil {
            cluster.firstSent = first
            cluster.firstTransit = transit
        }
        cluster.lastSent = max(cluster.lastSent, outcome.sentAt)
        let x = Double((outcome.sentAt - first).nanoseconds) / 1e6
        let y = Double((transit - cluster.firstTransit).nanoseconds) / 1e6
        cluster.x += x
        cluster.y += y
        cluster.xx += x * x
        cluster.xy += x * y
        if outcome.wasReported { cluster.lost -= 1 }
        cluster.arrived += 1
        cluster.bytes += outcome.byteCount
        if outcome.sequenceNumber == cluster.last { cluster.isOver = true }
        self.cluster = cluster
        return true
    }

    mutating func receiveLoss(_ outcome: SentPacketHistory.Outcome) {
        guard var cluster, cluster.contains(outcome.sequenceNumber), !outcome.wasReported else { return }
        cluster.lost += 1
        self.cluster = cluster
    }

    /// What the burst shows that the path carries, bits a second, once it is known.
    /// Padding packets are smaller than those of media, which `averageBytes` counts, and so cost the path more.
    mutating func finish(averageBytes: Double, at now: Monotonic) -> Double? {
        guard let done = cluster, done.isOver || now - done.endedAt > Self.patience else { return nil }
        cluster = nil
        let quantum = Pacer.quantum.seconds
        let seconds = done.firstSent.map { (done.lastSent - $0).seconds + quantum } ?? 0
        let loss = done.lost / max(done.lost + done.arrived, 1)
        guard done.arrived >= Double(Self.minPackets), seconds > 2 * quantum, loss < 0.5 else {
            fail(at: now)
            return nil
        }
        let overhead = Self.lowerBytes
        let wireBytes = Double(done.bytes) + done.arrived * overhead
        let sentRate = wireBytes * averageBytes / (averageBytes + overhead) * 8 / seconds
        let spread = done.arrived * done.xx - done.x * done.x
        let stretch = spread > 0 ? (done.arrived * done.xy - done.x * done.y) / spread : 0
        guard stretch < Self.maxStretch, loss < Self.maxLoss else {
            fail(at: now)
            return sentRate / (1 + max(stretch, 0)) * Self.limitShare
        }
        if let at = succeededAt, now - at >= Self.trialTime { falseSuccesses = 0 }
        succeededAt = now
        failures = 0
        isInHurry = true
        notBefore = now + Self.delayAfterSuccess
        return sentRate * Self.successShare
    }

    private mutating func fail(at now: Monotonic) {
        isInHurry = false
        notBefore = now + Self.delayAfterFailure(failures)
        failures += 1
    }
}
