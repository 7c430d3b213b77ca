/// One optional deadline per case of an enum: no heap, no cancellation, and a wake-up always knows its reason.
public struct TimerTable<Reason: CaseIterable & RawRepresentable & Sendable>: Sendable where Reason.RawValue == Int {
    @usableFromInline var deadlines: [Monotonic?]

    /// Raw values of `Reason` are 0, 1, 2, … in order of declaration.
    public init() {
        deadlines = Array(repeating: nil, count: Reason.allCases.count)
    }

    @inlinable
    public subscript(_ reason: Reason) -> Monotonic? {
        get { deadlines[reason.rawValue] }
        set { deadlines[reason.rawValue] = newValue }
    }

    /// The earliest deadline of all.
    @inlinable
    public var next: Monotonic? {
        var earliest: Monotonic?
        for case let deadline? in deadlines where earliest.map({ deadline < $0 }) ?? true { earliest = deadline }
        return earliest
    }

    /// Takes one deadline that has passed at `now`, clearing it; nil when none has. Call until nil.
    public mutating func popExpired(at now: Monotonic) -> Reason? {
        for (index, deadline) in deadlines.enumerated() {
            if let deadline, deadline <= now {
                deadlines[index] = nil
                return Reason(rawValue: index)
            }
        }
        return nil
    }

    public mutating func removeAll() {
        for index in deadlines.indices { deadlines[index] = nil }
    }
}
