/// Counts one source's sequence numbers on over wraps, tells duplicates, and starts over after jumps (RFC 3550 appendix
/// A.1). Never allocates after it was made.
package struct SequenceWindow: Sendable {
    package enum Placement: Hashable, Sendable {
        /// The newest packet so far; `missing` numbers were skipped before it.
        case ahead(Int64, missing: Int64)
        /// Older than the newest one, and not here before.
        case late(Int64)
        case duplicate
        /// Behind the window, or the first packet after a jump, which is held against a stray one.
        case refused
        /// The second packet after a jump: counting starts here.
        case restarted(Int64)
    }

    private static let size = Int64(RTPLimits.receiveWindowPackets)

    /// The first number since the start or the restart.
    package private(set) var base: Int64 = 0
    /// Nil before the first packet.
    package private(set) var highest: Int64?
    private var bits = [UInt64](repeating: 0, count: RTPLimits.receiveWindowPackets / 64)
    /// What has to come next to make a jump believable.
    private var afterJump: UInt16?
    private var afterStale: UInt16 = 0
    private var staleRun = 0

    package init() {}

    /// Numbers from the first to the highest.
    package var expected: Int64 { highest.map { $0 - base + 1 } ?? 0 }

    package mutating func place(_ number: UInt16) -> Placement {
        guard let highest else { return .ahead(start(at: Int64(number)), missing: 0) }
        let distance = Int64(Int16(bitPattern: number &- UInt16(truncatingIfNeeded: highest)))
        let place = highest + distance
        if distance > 0, distance < Int64(RTPLimits.maxDropout) {
            moveOn(to: place)
            staleRun = 0
            return .ahead(place, missing: distance - 1)
        }
        guard distance <= 0, distance > -Self.size else { return placeJump(number) }
        guard isMarked(place) else {
            mark(place)
            return .late(place)
        }
        return isStale(number) ? .restarted(restart(at: number)) : .duplicate
    }

    /// Of a packet that came by other ways than its own: it neither makes jumps nor restarts. Nil when it is here
    /// already or out of the window.
    package mutating func placeRepaired(_ number: UInt16) -> Int64? {
        guard let highest else { return nil }
        let distance = Int64(Int16(bitPattern: number &- UInt16(truncatingIfNeeded: highest)))
        return placeRepaired(highest + distance)
    }

    package mutating func placeRepaired(_ place: Int64) -> Int64? {
        guard let highest, place > highest - Self.size, place - highest < Int64(RTPLimits.maxDropout) else {
            return nil
        }
        if place > highest {
            moveOn(to: place)
            return place
        }
        guard !isMarked(place) else { return nil }
        mark(place)
        return place
    }

    package func contains(_ place: Int64) -> Bool {
        guard let highest, place <= highest, place > highest - Self.size else { return false }
        return isMarked(place)
    }

    /// Starts over at a number above all before, with the same low 16 bits.
    package mutating func restart(at number: UInt16) -> Int64 { start(at: later(number)) }

    /// Starts over with `number` as the packet that comes next and `missing` ones before it, and returns its place.
    package mutating func anticipate(_ number: UInt16, missing: Int64) -> Int64 {
        let place = start(at: later(number))
        clear(place)
        base = place - missing
        highest = base - 1
        return place
    }

    /// Two rounds on, so that not even what is late behind the new start falls among the old numbers.
    private func later(_ number: UInt16) -> Int64 {
        (highest.map { ($0 >> 16) + 2 } ?? 0) << 16 | Int64(number)
    }

    private mutating func start(at place: Int64) -> Int64 {
        for index in bits.indices { bits[index] = 0 }
        base = place
        highest = place
        afterJump = nil
        staleRun = 0
        mark(place)
        return place
    }

    private mutating func placeJump(_ number: UInt16) -> Placement {
        guard number == afterJump else {
            afterJump = number &+ 1
            return .refused
        }
        return .restarted(restart(at: number))
    }

    /// A source that starts over just behind its old numbers sends nothing but duplicates for a while.
    private mutating func isStale(_ number: UInt16) -> Bool {
        staleRun = number == afterStale ? staleRun + 1 : 0
        afterStale = number &+ 1
        return staleRun >= RTPLimits.maxStaleRun
    }

    private mutating func moveOn(to place: Int64) {
        var next = (highest ?? place) + 1
        while next < place {
            clear(next)
            next += 1
        }
        highest = place
        mark(place)
    }

    private func slot(_ place: Int64) -> (word: Int, bit: UInt64) {
        let index = Int(truncatingIfNeeded: place & (Self.size - 1))
        return (index >> 6, 1 << UInt64(index & 63))
    }

    private func isMarked(_ place: Int64) -> Bool {
        let (word, bit) = slot(place)
        return bits[word] & bit != 0
    }

    private mutating func mark(_ place: Int64) {
        let (word, bit) = slot(place)
        bits[word] |= bit
    }

    private mutating func clear(_ place: Int64) {
        let (word, bit) = slot(place)
        bits[word] &= ~bit
    }
}
