package import Bytes

/// What a path carries, judged by the sender from transport-wide feedback: bits a second of the packets that have
/// transport-wide numbers, RTP headers, retransmissions and padding included, what lies below not.
///
/// Three judges, the lowest wins: the gradient of the delay (`DelayDetector`) with AIMD after
/// draft-ietf-rmcat-gcc-02, the loss, and silence. It starts with all that is wanted, for most servers stand where
/// that is no matter, and is at rest until the first sign of trouble; from then on the estimate is searched for from
/// below, in small steps while what is sent comes near it and by probes otherwise. Without feedback there is no
/// estimate and no limit. Never allocates.
package struct BandwidthEstimator: Sendable {
    /// The estimate is never lower, bits a second: a small picture and sound.
    package static let floor = 150_000
    /// The estimate is never higher than this multiple of what is wanted.
    package static let ceiling = 1.5
    /// A path is held for unlimited again when it carries this multiple of what is wanted.
    package static let comfort = 1.2
    /// What over-use leaves of the rate that got through.
    static let backOff = 0.85
    /// While the queue is below `drainQueue`, a cut leaves at least this of the estimate: such queues may be those of
    /// one key frame, and if not, the next feedback says so.
    static let lightBackOff = 0.92
    /// Over-use is answered by a cut, even if that is below what gets through, once it was seen so often in a row.
    static let patience = 2
    /// The first cut must show in the delay before the next: the round trip, but at least this.
    static let minCutInterval = Interval.milliseconds(200)
    /// While a queue of ours stands higher than this, less is offered so that it drains.
    static let drainQueue = Interval.milliseconds(60)
    static let drainShare = 0.8
    /// The estimate grows only while the standing queue is lower.
    static let calmQueue = Interval.milliseconds(25)
    /// Growth of the estimate in a second, far from where the path was full last, and near it; above it is a quarter.
    static let growth = 0.08
    static let carefulGrowth = 0.01
    static let minCarefulGrowth = 40_000.0
    /// The estimate may grow while so much of it is sent …
    static let usedShare = 0.75
    /// … and to this multiple of what gets through.
    static let throughputMargin = 1.5
    /// Feedback that did not come for so long, while so many packets were sent, halves the estimate. livekit-server
    /// holds its feedback back until it has 21 packets to report.
    static let silence = (time: Interval.seconds(1), packets: 42)
    /// Silence of the peer that is more than the pause between two reports: nothing passes at all.
    static let blackOutTime = Interval.milliseconds(1_500)
    /// Throughput right after over-use, and otherwise.
    static let burstSpan = Interval.milliseconds(200)
    static let throughputSpan = Interval.milliseconds(500)
    static let thinRate = 500_000.0
    /// A queue with more loss than this is never taken for somebody else's.
    static let foreignLoss = 0.05

    /// Bits a second that the application would send on a perfect path.
    package var wantedBitrate: Int {
        didSet {
            if !knowsLimit { rate = max(rate, Double(wantedBitrate)) }
            mostWanted = max(mostWanted, wantedBitrate)
        }
    }
    /// What the peer says that it can take (REMB), bits a second.
    package var cap: Int?
    /// The path has shown trouble, and not since then that it carries all that is wanted.
    package var isLimited: Bool { knowsLimit && rate < Double(wantedBitrate) * Self.comfort }

    private var rate: Double
    /// Outlives times when little is wanted.
    private var knowsLimit = false
    /// Since the first trouble.
    private var mostWanted: Int
    private var delay = DelayDetector()
    private var loss = LossMeter()
    private var sent = RateWindow()
    private var arrived = RateWindow()
    private var full = FullRate()
    var probing = BandwidthProbing()

    private var numbers = SequenceCounter()
    private var averageBytes = 1_000.0
    /// In a row.
    private var overuseCount = 0
    private var grewAt: Monotonic?
    private var cutAt: Monotonic?
    private var feedbackAt: Monotonic?
    private var sentAt: Monotonic?
    private var firstUnansweredAt: Monotonic?
    private var unanswered = 0
    /// When anything came from the peer.
    private var heardAt: Monotonic?
    /// What was believed before feedback stayed away; nil while it comes.
    private var beforeSilence: (rate: Double, knowsLimit: Bool)?

    package init(wantedBitrate: Int) {
        self.wantedBitrate = wantedBitrate
        mostWanted = wantedBitrate
        rate = Double(wantedBitrate)
    }

    /// Nil until the first feedback, unless the peer named a cap.
    package var estimate: Int? {
        guard feedbackAt != nil || cap != nil else { return nil }
        let ceiling = max(Double(wantedBitrate) * Self.ceiling, Double(Self.floor))
        let drain = isLimited && delay.standingQueue > Self.drainQueue ? Self.drainShare : 1
        return max(Int(min(rate * drain, ceiling, Double(cap ?? .max))), min(Self.floor, cap ?? .max))
    }

    /// Queue that stands on the path, as far as it is above what the path always had.
    package var standingQueue: Interval { delay.standingQueue }

    /// Share of packets that were lost lately, 0…1.
    package var lossShare: Double { loss.share ?? 0 }
}

// MARK: - What happens

extension BandwidthEstimator {
    /// Notes a packet that leaves with a transport-wide number.
    package mutating func recordSent(byteCount: Int, at now: Monotonic) {
        sent.add(byteCount, at: now)
        if let sentAt, now - sentAt > Self.silence.time / 2 { unanswered = 0 }
        sentAt = now
        if unanswered == 0 { firstUnansweredAt = now }
        unanswered += 1
    }

    /// Notes that the peer sent a word of any kind; what it said comes after. True when that ends a black-out: what was
    /// lost in it says nothing about the path, which carries what it carried before until a queue tells otherwise.
    package mutating func recordWord(at now: Monotonic) -> Bool {
        defer { heardAt = now }
        guard let before = beforeSilence, let heardAt, now - heardAt >= Self.blackOutTime else { return false }
        beforeSilence = nil
        feedbackAt = now
        unanswered = 0
        cutAt = now
        loss.restart()
        rate = max(rate, before.rate)
        knowsLimit = before.knowsLimit
        return true
    }

    /// Takes what one feedback said, in the order of sending.
    package mutating func receive(
        _ outcomes: [SentPacketHistory.Outcome], roundTrip: Interval?, at now: Monotonic
    ) {
        guard !outcomes.isEmpty else { return }
        feedbackAt = now
        unanswered = 0
        beforeSilence = nil
        for outcome in outcomes { take(outcome, at: now) }
        loss.isQueued = delay.standingQueue >= Self.calmQueue
        sent.advance(to: now)
        adjust(roundTrip: roundTrip, at: now)
        finishProbe(at: now)
        scheduleProbe(at: now)
    }

    /// Lets time pass. Call it when `nextDeadline` has come.
    package mutating func advance(to now: Monotonic) {
        if let due = silenceEndsAt, due <= now {
            // Careful: the feedback may be what is lost, and the next probe brings the rate back.
            if beforeSilence == nil { beforeSilence = (rate, knowsLimit) }
            cut(to: rate / 2, at: now)
            unanswered = 0
        }
    }

    /// When silence begins to mean something, or a probe may begin.
    package var nextDeadline: Monotonic? {
        switch (silenceEndsAt, probing.dueAt) {
        case (let a?, let b?): min(a, b)
        case (let a, let b): a ?? b
        }
    }

    private var silenceEndsAt: Monotonic? {
        guard let feedbackAt, let firstUnansweredAt, unanswered >= Self.silence.packets else { return nil }
        return max(feedbackAt, firstUnansweredAt) + Self.silence.time
    }

    private mutating func take(_ outcome: SentPacketHistory.Outcome, at now: Monotonic) {
        let isNew = !outcome.wasReported
        // What was sent before a cut says nothing about the rate after it, and probes are meant to be too fast.
        if outcome.sentAt >= cutAt ?? outcome.sentAt, !probing.contains(outcome.sequenceNumber) {
            loss.receive(isLost: outcome.arrival == nil, isNew: isNew, at: now)
        }
        let highest = numbers.highest
        let number = numbers.unwrap(outcome.sequenceNumber)
        guard let ticks = outcome.arrival else {
            probing.receiveLoss(outcome)
            return
        }
        let arrival = Monotonic(nanoseconds: ticks &* 250_000)
        var bytes = outcome.byteCount
        if let highest, number > highest + 1 {
            // What a lost feedback would have reported is taken to have arrived.
            bytes += Int(Double(min(number - highest - 1, 1_000)) * averageBytes * (1 - lossShare))
        }
        arrived.add(bytes, at: arrival)
        // A probe is faster than the path may be; it has a judge of its own.
        guard !probing.receive(outcome, arrival: arrival) else { return }
        averageBytes += (Double(outcome.byteCount) - averageBytes) / 64
        if isNew { delay.receive(sent: outcome.sentAt, arrival: arrival) }
    }
}

// MARK: - Rate

extension BandwidthEstimator {
    private var throughput: Double? { arrived.rate(over: Self.throughputSpan).map(Double.init) }

    /// Of the last moment; few packets need a longer one to be counted by.
    private var burstThroughput: Double? {
        guard let long = throughput, long < Self.thinRate else {
            // A queue may have stood for a part of the time only.
            guard let short = arrived.rate(over: Self.burstSpan) else { return throughput }
            return Double(max(short, arrived.rate(over: Self.burstSpan / 2) ?? 0))
        }
        return long
    }

    private mutating func adjust(roundTrip: Interval?, at now: Monotonic) {
        defer { grewAt = now }
        let interval = min(max(roundTrip ?? .zero, Self.minCutInterval), .milliseconds(500)) + .milliseconds(100)
        let mayCut = cutAt.map { now - $0 >= interval } ?? true
        var target = Double.infinity
        let through = burstThroughput
        delay.isLossless = lossShare < Self.foreignLoss
        if let share = loss.congestion(at: now) {
            target = max(min(rate * (1 - 0.5 * share), (through ?? rate) * 0.95), rate / 4)
        }
        if delay.state == .overuse, mayCut, let through {
            full.record(through)
            let isLight = delay.standingQueue < Self.drainQueue || probing.isFresh(at: now)
            overuseCount += 1
            target = min(target, max(Self.backOff * through, isLight ? Self.lightBackOff * rate : 0))
            // It does not pass, whatever gets through.
            if overuseCount > Self.patience { target = min(target, Self.lightBackOff * rate) }
        } else if delay.state != .overuse {
            overuseCount = 0
        }
        if target < .infinity {
            cut(to: target, at: now)
        } else if delay.state == .normal, delay.standingQueue < Self.calmQueue, loss.allowsGrowth {
            grow(at: now)
        }
    }

    private mutating func cut(to target: Double, at now: Monotonic) {
        let target = max(target, Double(Self.floor))
        cutAt = now
        delay.acceptCut()
        loss.restart()
        probing.rateWasCut(to: target / rate, at: now)
        guard target < rate else { return }
        rate = target
        if !knowsLimit { mostWanted = wantedBitrate }
        knowsLimit = true
    }

    private mutating func grow(at now: Monotonic) {
        guard isLimited, let grewAt, let through = throughput, let used = sent.rate(over: Self.throughputSpan) else {
            return
        }
        full.forget(above: through)
        guard Double(used) >= rate * Self.usedShare else { return }
        let seconds = min(max((now - grewAt).seconds, 0), 1)
        let careful = max(rate * Self.carefulGrowth, Self.minCarefulGrowth)
        let step = !full.isNear(rate) ? rate * Self.growth : rate < full.mean ? careful : careful / 4
        let top = min(through * Self.throughputMargin, Double(wantedBitrate) * Self.ceiling)
        raise(to: min(rate + step * seconds, top))
    }

    private mutating func raise(to target: Double) {
        rate = max(rate, target)
        if knowsLimit, rate >= Double(mostWanted) * Self.comfort {
            knowsLimit = false
            full = FullRate()
        }
    }

    private mutating func finishProbe(at now: Monotonic) {
        guard let result = probing.finish(averageBytes: averageBytes, at: now) else { return }
        // Probes find what is free, but never speak against what media showed.
        raise(to: min(result, Double(wantedBitrate) * Self.ceiling))
        if result > full.mean * 1.2 { full = FullRate() }
    }

    private mutating func scheduleProbe(at now: Monotonic) {
        let wanted = Double(wantedBitrate) * Self.comfort
        let isCalm = delay.state != .overuse && delay.standingQueue < Self.calmQueue && loss.allowsProbe
        guard isLimited, isCalm, cap.map({ Double($0) > rate }) ?? true else {
            probing.dueAt = nil
            return
        }
        probing.schedule(rate: rate, wanted: wanted, isEnough: rate >= Double(wantedBitrate), at: now)
    }
}

/// Where the path was full lately: mean and deviation of what got through then.
private struct FullRate: Sendable {
    private(set) var mean = 0.0
    private var deviation = 0.0

    init() {}

    mutating func record(_ rate: Double) {
        guard mean > 0, (rate - mean).magnitude <= 3 * max(deviation, mean * 0.1) else {
            mean = rate
            deviation = rate * 0.05
            return
        }
        deviation += 0.1 * ((rate - mean).magnitude - deviation)
        mean += 0.2 * (rate - mean)
    }

    mutating func forget(above through: Double) {
        if mean > 0, through > mean + 3 * max(deviation, mean * 0.03) { self = FullRate() }
    }

    func isNear(_ rate: Double) -> Bool { mean > 0 && rate > mean * 0.8 && rate < mean * 1.3 }
}
