package import Bytes

/// The missing packets of one stream: when to ask for which (RFC 4585 section 6.2.1). Never allocates after it was made.
package struct NackTracker: Sendable {
    private struct Missing {
        var place: Int64
        var notedAt: Monotonic
        /// Packets that had come when the gap was seen.
        var notedCount: Int64
        var dueAt: Monotonic
        var askedAt: Monotonic
        var tries: UInt8
    }

    /// In ascending order of their numbers.
    private var missing: [Missing] = []
    private var arrivedCount: Int64 = 0
    /// How late packets are that others overtook: nine of ten come within it.
    private var reordering = Interval.zero
    private var reorderedAt = Monotonic.zero
    /// Not later than the earliest that is due.
    package private(set) var deadline: Monotonic?

    package init() { missing.reserveCapacity(RTPLimits.maxMissingPackets) }

    package var count: Int { missing.count }

    /// A packet came ahead of all before, `skipped` numbers after them. False when too many are missing: then all of
    /// them are given up.
    package mutating func noteArrival(_ place: Int64, skipped: Int64, at now: Monotonic) -> Bool {
        arrivedCount &+= 1
        let patience = patience(at: now)
        if patience == RTPLimits.reorderTime { hurry(at: now) }
        guard skipped > 0 else { return true }
        guard missing.count + Int(skipped) <= RTPLimits.maxMissingPackets else {
            removeAll()
            return false
        }
        let dueAt = now + patience
        for lost in place - skipped..<place {
            missing.append(
                Missing(place: lost, notedAt: now, notedCount: arrivedCount, dueAt: dueAt, askedAt: .zero, tries: 0))
        }
        deadline = min(deadline ?? dueAt, dueAt)
        return true
    }

    /// Gaps that enough packets came behind were no reordering.
    private mutating func hurry(at now: Monotonic) {
        for index in missing.indices.reversed() {
            guard missing[index].tries == 0, missing[index].dueAt > now else { return }
            guard arrivedCount - missing[index].notedCount + 1 >= RTPLimits.reorderPackets else { continue }
            missing[index].dueAt = now
            deadline = min(deadline ?? now, now)
        }
    }

    /// A missing packet came. What is returned is the round trip, when it came after it was asked for once.
    ///
    /// `isOriginal` when it came as it was sent first, false when it was repeated, nil when nobody can tell.
    package mutating func noteFound(
        _ place: Int64, isOriginal: Bool?, roundTrip: Interval = .zero, at now: Monotonic
    ) -> Interval? {
        guard let index = index(of: place) else { return nil }
        let found = missing.remove(at: index)
        if missing.isEmpty { deadline = nil }
        // Nothing that was asked for comes within half a round trip.
        if isOriginal ?? (found.tries == 0 || now - found.askedAt < roundTrip / 2) {
            noteReordering(now - found.notedAt, at: now)
        }
        return found.tries == 1 ? now - found.askedAt : nil
    }

    /// How long the next gap may be the work of reordering.
    private func patience(at now: Monotonic) -> Interval {
        let left = RTPLimits.reorderMemory - (now - reorderedAt)
        guard reordering > .zero, left > .zero else { return RTPLimits.reorderTime }
        return min(RTPLimits.reorderTime + reordering, RTPLimits.maxReorderTime)
    }

    private mutating func noteReordering(_ sample: Interval, at now: Monotonic) {
        if now - reorderedAt >= RTPLimits.reorderMemory { reordering = .zero }
        reorderedAt = now
        let difference = sample - reordering
        reordering += difference > .zero ? difference / 2 : difference / 16
    }

    package mutating func removeAll() {
        missing.removeAll(keepingCapacity: true)
        deadline = nil
    }

    /// Gives up what is too old or was asked for often enough, and works out the deadline anew.
    package mutating func advance(to now: Monotonic) {
        guard let deadline, deadline <= now else { return }
        missing.removeAll { entry in
            entry.dueAt <= now
                && (entry.tries >= RTPLimits.maxNackTries || now - entry.notedAt >= RTPLimits.maxNackAge)
        }
        self.deadline = missing.lazy.map(\.dueAt).min()
    }

    /// Puts the numbers that are due into `numbers`, ascending.
    package func collect(into numbers: inout [UInt16], at now: Monotonic) {
        numbers.removeAll(keepingCapacity: true)
        for entry in missing where entry.dueAt <= now { numbers.append(UInt16(truncatingIfNeeded: entry.place)) }
    }

    /// The first `count` of those that are due were asked for.
    package mutating func noteAsked(_ count: Int, at now: Monotonic, roundTrip: Interval) {
        let interval = min(max(roundTrip, RTPLimits.minNackInterval), RTPLimits.maxNackInterval)
        var left = count
        for index in missing.indices where missing[index].dueAt <= now {
            guard left > 0 else { break }
            left -= 1
            missing[index].tries += 1
            missing[index].askedAt = now
            missing[index].dueAt = now + interval
        }
        deadline = missing.lazy.map(\.dueAt).min()
    }

    private func index(of place: Int64) -> Int? {
        var low = 0
        var high = missing.count
        while low < high {
            let middle = (low + high) / 2
            if missing[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low < missing.count && missing[low].place == place ? low : nil
    }
}
