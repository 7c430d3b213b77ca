import Bytes

/// Tells from one-way delays whether a queue grows on the path: the gradient of the delay of packet groups by a
/// trendline filter against an adaptive threshold (draft-ietf-rmcat-gcc-02, as WebRTC senders have it now), held
/// against the standing queue.
///
/// Jitter moves the gradient as a queue does, but it leaves some packets undelayed. So the gradient counts only while
/// even the luckiest packet of the last 100 ms or so waited: the standing queue. Never allocates.
struct DelayDetector: Sendable {
    enum Signal: Hashable, Sendable { case normal, overuse, underuse }

    /// Packets sent within this time make one group.
    static let groupTime = Interval.milliseconds(5)
    static let sampleCount = 20
    /// A trend is seen in so many samples at the earliest.
    static let minSamples = 10
    /// How much of the smoothed delay the next group leaves.
    static let smoothing = 0.8
    /// Brings the gradient to the scale of the threshold, together with the count of groups up to `maxGain`.
    static let gain = 4.0
    static let maxGroups = 60.0
    static let firstThreshold = 12.5
    static let thresholds = 6.0...600.0
    /// How fast the threshold follows the gradient, in 1/ms: up slowly, so that jitter is learnt; down slower.
    static let thresholdRise = 0.0087
    static let thresholdFall = 0.039
    /// A gradient must point up for so long.
    static let overuseTime = Interval.milliseconds(10)
    /// The gradient alone is not believed while the standing queue is below this.
    static let minStandingQueue = Interval.milliseconds(12)
    /// A queue that stands so high for so long is over-use, and again after each `drainTime` in which it did not shrink
    /// by a tenth.
    static let maxStandingQueue = (height: Interval.milliseconds(70), time: Interval.milliseconds(100))
    static let drainTime = Interval.milliseconds(500)
    /// A high queue that outlives this time of restraint without loss is not ours: it becomes the path's base delay.
    static let foreignQueueTime = Interval.seconds(3)
    /// A sender that paused so long starts its trend anew.
    static let pauseTime = Interval.seconds(1)

    private struct Group {
        var firstSent: Monotonic
        var lastSent: Monotonic
        /// One-way delay of its last packet, ms, with the unknown offset between the clocks.
        var delay: Double
    }

    private var signal = Signal.normal
    private var group: Group?
    private var previousSent: Monotonic?
    private var origin: (sent: Monotonic, arrival: Monotonic)?
    private var trend = Trendline()
    private var smoothed = 0.0
    private var groupCount = 0.0
    private var threshold = firstThreshold
    private var previousSlope = 0.0
    private var overuse = (time: Interval.zero, groups: 0)
    private var standing = StandingQueue()
    private var highSince: Monotonic?
    /// A high queue does not shrink; until `acceptCut`.
    private var isStuck = false
    private var level: (queue: Interval, at: Monotonic)?
    /// Nothing much is being lost, so that a queue may be somebody else's.
    var isLossless = true

    init() {}

    /// What the last packets showed. A queue that is gone meanwhile is none.
    var state: Signal {
        if isStuck { return .overuse }
        return signal == .overuse && standing.queue < Self.minStandingQueue ? .normal : signal
    }

    /// What even the luckiest of the last packets waited.
    var standingQueue: Interval { standing.queue }

    /// Takes one packet that arrived; in the order of sending.
    mutating func receive(sent: Monotonic, arrival: Monotonic) {
        let origin = origin ?? (sent, arrival)
        self.origin = origin
        let transit = (arrival - origin.arrival) - (sent - origin.sent)
        standing.receive(transit, sent: sent)
        let delay = Double(transit.nanoseconds) / 1e6
        guard var current = group else {
            group = Group(firstSent: sent, lastSent: sent, delay: delay)
            return
        }
        guard sent >= current.firstSent else { return }
        if sent - current.firstSent <= Self.groupTime {
            current.lastSent = max(current.lastSent, sent)
            current.delay = delay
            group = current
            return
        }
        close(current)
        group = Group(firstSent: sent, lastSent: sent, delay: delay)
    }

    /// Less is sent from now on: a high queue gets time to shrink.
    mutating func acceptCut() { isStuck = false }

    /// Takes the present queue for the path's own delay.
    private mutating func acceptQueue() {
        standing.acceptQueue()
        highSince = nil
        level = nil
        isStuck = false
    }

    private mutating func close(_ group: Group) {
        let step = previousSent.map { group.lastSent - $0 } ?? Self.groupTime
        previousSent = group.lastSent
        if step > Self.pauseTime {
            trend = Trendline()
            groupCount = 0
            overuse = (.zero, 0)
        }
        smoothed = groupCount == 0 ? group.delay : Self.smoothing * smoothed + (1 - Self.smoothing) * group.delay
        groupCount = min(groupCount + 1, Self.maxGroups)
        let start = origin?.sent ?? group.lastSent
        trend.append(x: Double((group.lastSent - start).nanoseconds) / 1e6, y: smoothed)
        judge(slope: trend.slope ?? previousSlope, step: step)
        judgeStandingQueue(at: group.lastSent)
    }

    private mutating func judge(slope: Double, step: Interval) {
        defer { previousSlope = slope }
        let gradient = groupCount * slope * Self.gain
        if groupCount >= 2, gradient > threshold {
            overuse.time += overuse.groups == 0 ? step / 2 : step
            overuse.groups += 1
            if overuse.time > Self.overuseTime, overuse.groups > 1, slope >= previousSlope {
                overuse = (.zero, 0)
                signal = .overuse
            }
        } else {
            overuse = (.zero, 0)
            signal = gradient < -threshold ? .underuse : .normal
        }
        let distance = gradient.magnitude - threshold
        // A spike, such as a change of route, is nothing to learn from.
        guard distance <= 15 else { return }
        let pace = distance < 0 ? Self.thresholdFall : Self.thresholdRise
        let time = min(Double(step.nanoseconds) / 1e6, 100)
        threshold = min(max(threshold + pace * distance * time, Self.thresholds.lowerBound), Self.thresholds.upperBound)
    }

    private mutating func judgeStandingQueue(at now: Monotonic) {
        guard standing.queue > Self.maxStandingQueue.height else {
            highSince = nil
            level = nil
            isStuck = false
            return
        }
        let since = highSince ?? now
        highSince = since
        if isLossless, now - since > Self.foreignQueueTime { return acceptQueue() }
        if let level {
            guard now - level.at >= Self.drainTime else { return }
            isStuck = standing.queue > level.queue * 9 / 10
        } else {
            guard now - since >= Self.maxStandingQueue.time else { return }
            isStuck = true
        }
        level = (standing.queue, now)
    }
}

/// The least-squares line through the last points.
private struct Trendline: Sendable {
    private var xs = [20 of Double](repeating: 0)
    private var ys = [20 of Double](repeating: 0)
    private var count = 0
    private var next = 0

    init() {}

    mutating func append(x: Double, y: Double) {
        xs[next] = x
        ys[next] = y
        next = (next + 1) % DelayDetector.sampleCount
        count = min(count + 1, DelayDetector.sampleCount)
    }

    /// Nil until there are enough points.
    var slope: Double? {
        guard count >= DelayDetector.minSamples else { return nil }
        var meanX = 0.0
        var meanY = 0.0
        for index in 0..<count {
            meanX += xs[index]
            meanY += ys[index]
        }
        meanX /= Double(count)
        meanY /= Double(count)
        var numerator = 0.0
        var denominator = 0.0
        for index in 0..<count {
            numerator += (xs[index] - meanX) * (ys[index] - meanY)
            denominator += (xs[index] - meanX) * (xs[index] - meanX)
        }
        return denominator > 0 ? numerator / denominator : nil
    }
}

/// The least transit time of the latest packets over the least of the last 10 to 20 s.
private struct StandingQueue: Sendable {
    static let recentTime = Interval.milliseconds(60)
    static let recentPackets = 12
    static let baseTime = Interval.seconds(10)

    private struct Minimum {
        var value = Interval(nanoseconds: .max)
        var previous = Interval(nanoseconds: .max)
        var since = Monotonic.zero
        var count = 0

        mutating func receive(_ transit: Interval, at now: Monotonic, turn: Interval, packets: Int) {
            if count == 0 { since = now }
            if count >= packets, now - since >= turn {
                previous = value
                value = Interval(nanoseconds: .max)
                since = now
                count = 0
            }
            value = min(value, transit)
            count += 1
        }

        var least: Interval { min(value, previous) }
    }

    private var recent = Minimum()
    private var base = Minimum()
    private(set) var queue = Interval.zero

    mutating func receive(_ transit: Interval, sent: Monotonic) {
        base.receive(transit, at: sent, turn: Self.baseTime, packets: 1)
        recent.receive(transit, at: sent, turn: Self.recentTime, packets: Self.recentPackets)
        queue = max(recent.least - base.least, .zero)
    }

    mutating func acceptQueue() {
        base = recent
        queue = .zero
    }
}
