import Bytes

/// Bytes over the last 800 ms of one clock, in slots of 50 ms: what was sent, or what arrived. Values of a peer's clock
/// may jump as they like. Never allocates.
struct RateWindow: Sendable {
    static let slotTime = Interval.milliseconds(50)
    static let slotCount = 16

    private var slots = [16 of Int](repeating: 0)
    /// The slot of the latest time, and the first one of which anything is known.
    private var newest: Int64?
    private var oldest: Int64 = 0

    init() {}

    mutating func add(_ byteCount: Int, at time: Monotonic) {
        let slot = slot(of: time)
        advance(toSlot: slot)
        guard let newest, (0..<Int64(Self.slotCount)).contains(newest &- slot) else { return }
        slots[index(slot)] &+= byteCount
        oldest = min(oldest, slot)
    }

    /// Lets time pass in which nothing happened.
    mutating func advance(to time: Monotonic) { advance(toSlot: slot(of: time)) }

    /// Bits a second over `span`, of whole slots before the one that is being filled; nil when less than half of it
    /// is known.
    func rate(over span: Interval) -> Int? {
        let wanted = min(Int(span.nanoseconds / Self.slotTime.nanoseconds), Self.slotCount - 1)
        guard let newest else { return nil }
        let known = Int(clamping: min(Int64(wanted), newest &- oldest))
        guard known > 0, known * 2 >= wanted else { return nil }
        var sum = 0
        for back in 1...known { sum &+= slots[index(newest &- Int64(back))] }
        return Int(Double(sum) * 8_000_000_000 / (Double(known) * Double(Self.slotTime.nanoseconds)))
    }

    private mutating func advance(toSlot slot: Int64) {
        guard let last = newest else {
            newest = slot
            oldest = slot
            return
        }
        let steps = slot &- last
        guard steps != 0, steps > -Int64(Self.slotCount) else {
            // So far back that the clock must have started over.
            if steps != 0 { restart(at: slot) }
            return
        }
        guard steps > 0 else { return }
        guard steps < Int64(Self.slotCount) else { return restart(at: slot) }
        for step in 1...steps { slots[index(last &+ step)] = 0 }
        newest = slot
        oldest = max(oldest, slot &- Int64(Self.slotCount - 1))
    }

    /// What lies before is known to be nothing, for as far as the window reaches.
    private mutating func restart(at slot: Int64) {
        let isLater = slot > newest ?? .min
        slots = [16 of Int](repeating: 0)
        newest = slot
        oldest = isLater ? slot &- Int64(Self.slotCount - 1) : slot
    }

    private func slot(of time: Monotonic) -> Int64 {
        let (quotient, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: Self.slotTime.nanoseconds)
        return rest < 0 ? quotient - 1 : quotient
    }

    private func index(_ slot: Int64) -> Int { Int(truncatingIfNeeded: slot) & (Self.slotCount - 1) }
}
