package import Bytes
package import ServiceConfiguration

/// Decides by idle processor time whether another session fits; reads no clock and no file.
///
/// What is available is what was idle in the last second, less what sessions accepted since then have yet to use, less a
/// share of all CPUs that stays free. Offers to the server are held to the whole share, sessions that stand at the door
/// to half of it, so that a claim won by an offer is not refused a moment later.
package struct CPUBudget: Sendable {
    /// How long an accepted session's cost is held: until the samples show it.
    private static let pendingTime = Interval.seconds(1)

    private struct Pending {
        var cost: Double
        var until: Monotonic
    }

    /// Of the machine or the container; need not be whole.
    package let cpuCount: Double
    package var costs: CPUCostConfiguration
    /// CPUs; zero until the first sample, so that nothing is accepted before anything is known.
    package private(set) var idle = 0.0
    private var pending: [Pending] = []

    package init(cpuCount: Double, costs: CPUCostConfiguration) {
        self.cpuCount = cpuCount
        self.costs = costs
    }

    /// Idle CPUs, averaged over the last second.
    package mutating func sampled(idle: Double) { self.idle = min(max(idle, 0), cpuCount) }

    /// 0…1.
    package var load: Double { cpuCount > 0 ? 1 - idle / cpuCount : 1 }

    /// Whether to offer to take a session of the kind.
    package func canAccept(_ kind: SessionKind, at now: Monotonic) -> Bool {
        isUnbounded(kind) || available(idleRatio: ratio, at: now) > cost(of: kind)
    }

    /// A cost of zero says that sessions of the kind are not to be counted, however busy the machine is.
    private func isUnbounded(_ kind: SessionKind) -> Bool { cost(of: kind) <= 0 }

    /// Whether any session at all could be taken.
    package func isAvailable(at now: Monotonic) -> Bool {
        largestCost <= 0 || available(idleRatio: ratio, at: now) > largestCost
    }

    /// Takes a session of the kind, if it fits, and holds its cost.
    package mutating func accept(_ kind: SessionKind, at now: Monotonic) -> Bool {
        pending.removeAll { $0.until <= now }
        let cost = cost(of: kind)
        if isUnbounded(kind) { return true }
        guard available(idleRatio: ratio / 2, at: now) > cost else { return false }
        pending.append(Pending(cost: cost, until: now + Self.pendingTime))
        return true
    }

    /// Processors that are free of use, of promises and of the share to keep.
    package func available(idleRatio: Double, at now: Monotonic) -> Double {
        let held = pending.lazy.filter { $0.until > now }.map(\.cost).reduce(0, +)
        return idle - held - idleRatio * cpuCount
    }

    package func cost(of kind: SessionKind) -> Double {
        switch kind {
        case .rtmp: costs.rtmp
        case .whip: costs.whip
        case .whipBypass: costs.whipBypassTranscoding
        case .url: costs.url
        }
    }

    private var ratio: Double { costs.minIdleRatio > 0 ? costs.minIdleRatio : CPUCostConfiguration().minIdleRatio }
    private var largestCost: Double { SessionKind.allCases.map(cost).max() ?? 0 }

    // MARK: Start

    /// What the machine cannot do with these costs.
    package enum Shortage: Equatable, Sendable {
        /// Nothing would ever be accepted: the process should not start.
        case none(smallestCost: Double)
        /// Some kinds would never be accepted.
        case some([SessionKind])
    }

    /// Nil when every kind of session fits on an idle machine.
    ///
    /// As upstream, costs are compared with all CPUs here, without the share to keep idle.
    package var shortage: Shortage? {
        let smallest = SessionKind.allCases.map(cost).min() ?? 0
        if cpuCount < smallest { return .none(smallestCost: smallest) }
        let tooDear = SessionKind.allCases.filter { cost(of: $0) > cpuCount }
        return tooDear.isEmpty ? nil : .some(tooDear)
    }

    /// Kinds that even an idle machine refuses, because of the share to keep idle.
    package var neverAccepted: [SessionKind] {
        SessionKind.allCases.filter { cpuCount - ratio / 2 * cpuCount <= cost(of: $0) }
    }
}

extension CPUBudget.Shortage {
    /// One sentence for the log or for the end of the process.
    package func text(cpuCount: Double) -> String {
        switch self {
        case .none(let smallest):
            "server capacity exceeded: \(cpuCount) CPUs are fewer than the smallest cost in cpu_cost (\(smallest)); "
                + "use a larger machine or lower the costs"
        case .some(let kinds):
            "not enough CPUs (\(cpuCount)) for sessions of kind \(kinds.map(\.rawValue).joined(separator: ", "))"
        }
    }
}
