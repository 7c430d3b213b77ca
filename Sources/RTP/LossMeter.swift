import Bytes

/// How much of what is sent gets lost, and whether it is the sender's doing: loss that does not go away when less is
/// sent belongs to the path, and retransmissions answer it. Never allocates.
///
/// Feedback reports packets that are only late as lost, and as arrived later: what was sent last does not accuse yet. Nor
/// does what so few packets may lose by chance.
struct LossMeter: Sendable {
    /// Loss above this is congestion until the opposite is shown.
    static let congestionShare = 0.10
    /// Loss so far above the path's own stops growth.
    static let growthShare = 0.02
    /// Loss that is not answered by sending less is at most this.
    static let maxInherentShare = 0.2
    /// Standard deviations that a share of few packets may lie above by chance.
    static let chance = 2.0
    /// Nothing is said on less.
    static let minTime = Interval.milliseconds(400)
    static let minPackets = 20
    static let slotTime = Interval.milliseconds(200)

    private var lost = [5 of Int](repeating: 0)
    private var total = [5 of Int](repeating: 0)
    private var slot = 0
    private var slotSince: Monotonic?
    private var since: Monotonic?
    private var latest = Monotonic.zero
    /// Shares of the last ten seconds.
    private var seconds = [10 of Double](repeating: 0)
    private var secondCount = 0
    private var secondAt: Monotonic?
    /// A queue stands, so that loss may be of its end.
    var isQueued = false

    init() {}

    /// `isNew`: the packet was not reported before. One that was, and now arrived, was late.
    mutating func receive(isLost: Bool, isNew: Bool, at now: Monotonic) {
        guard isNew || !isLost else { return }
        turn(to: now)
        if isNew {
            total[slot] += 1
            lost[slot] += isLost ? 1 : 0
        } else {
            lost[slot] -= 1
        }
    }

    /// 0…1; nil when too little is known.
    var share: Double? { measured(leavingOut: nil)?.share }

    /// The share when it calls for a cut. Call `restart` when it was made.
    mutating func congestion(at now: Monotonic) -> Double? {
        turn(to: now)
        guard let (share, packets) = measured(leavingOut: slot) else { return nil }
        let limit = Self.congestionShare
        let chance = Self.chance * (limit * (1 - limit) / Double(packets)).squareRoot()
        guard share > limit + chance, share > inherent + 0.05 else { return nil }
        return share
    }

    private func measured(leavingOut slot: Int?) -> (share: Double, packets: Int)? {
        guard let since, latest - since >= Self.minTime else { return nil }
        var (lostSum, totalSum) = (0, 0)
        for index in 0..<5 where index != slot {
            lostSum += lost[index]
            totalSum += total[index]
        }
        guard totalSum >= Self.minPackets else { return nil }
        return (min(max(Double(lostSum) / Double(totalSum), 0), 1), totalSum)
    }

    var allowsGrowth: Bool { (share ?? 0) < Self.growthShare + inherent }
    var allowsProbe: Bool { (share ?? 0) < Self.congestionShare + inherent }

    /// Forgets the last second, so that a cut is judged by what was sent after it.
    mutating func restart() {
        lost = [5 of Int](repeating: 0)
        total = [5 of Int](repeating: 0)
        slotSince = nil
        since = nil
    }

    /// What the path loses however little is sent: the least of the last ten seconds, once there are some.
    private var inherent: Double {
        guard secondCount >= 3 else { return 0 }
        var least = 1.0
        for index in 0..<min(secondCount, 10) { least = min(least, seconds[index]) }
        return min(least, Self.maxInherentShare)
    }

    private mutating func turn(to now: Monotonic) {
        latest = max(latest, now)
        if since == nil { since = now }
        if let start = slotSince, now - start < Self.slotTime { return }
        if slotSince != nil {
            slot = (slot + 1) % 5
            lost[slot] = 0
            total[slot] = 0
        }
        slotSince = now
        guard let share, !isQueued else { return }
        if let last = secondAt, now - last < .seconds(1) { return }
        secondAt = now
        seconds[secondCount % 10] = share
        secondCount = secondCount >= 1_000 ? secondCount - 990 + 1 : secondCount + 1
    }
}
