package import Bytes

/// When the next child may be started, after some have died at their start.
package struct StartBackoff {
    /// Deaths in a row that may be bad luck.
    package static let tolerated = 3

    private let shortestRest: Interval
    private let longestRest: Interval
    private var deaths = 0
    private var rest: Interval
    /// The end of the last rest; nil when there was none.
    package private(set) var restsUntil: Monotonic?

    /// Each rest is twice as long as the one before, within these bounds.
    package init(shortestRest: Interval, longestRest: Interval) {
        self.shortestRest = shortestRest
        self.longestRest = longestRest
        rest = shortestRest
    }

    /// A child died at its start. True when that begins a rest.
    package mutating func died(at now: Monotonic) -> Bool {
        deaths += 1
        // Deaths of children that were started before the rest began do not make it longer.
        guard deaths >= Self.tolerated, !isResting(at: now) else { return false }
        restsUntil = now + rest
        rest = min(rest * 2, longestRest)
        return true
    }

    /// A child came up and stayed.
    package mutating func succeeded() { self = StartBackoff(shortestRest: shortestRest, longestRest: longestRest) }

    package func isResting(at now: Monotonic) -> Bool { restsUntil.map { now < $0 } ?? false }

    /// How many children may be on their way up at the same time: after a rest one shows whether it works again.
    package var maxStarting: Int { deaths >= Self.tolerated ? 1 : .max }
    package var hasDeaths: Bool { deaths > 0 }
    /// There was at least one rest since a child came up.
    package var hasRested: Bool { restsUntil != nil }
}
