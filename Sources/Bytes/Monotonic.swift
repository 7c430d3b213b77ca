/// A point on the process's monotonic clock, in nanoseconds. Sans-IO code receives it as an argument and never reads a clock.
public struct Monotonic: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Monotonic(nanoseconds: 0)
    public static let distantFuture = Monotonic(nanoseconds: .max)

    @inlinable
    public static func < (a: Monotonic, b: Monotonic) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates instead of overflowing, so that `distantFuture` plus anything stays there.
    @inlinable
    public static func + (a: Monotonic, b: Interval) -> Monotonic {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return Monotonic(nanoseconds: overflow ? (b.nanoseconds > 0 ? .max : .min) : sum)
    }

    @inlinable
    public static func - (a: Monotonic, b: Interval) -> Monotonic { a + Interval(nanoseconds: 0 &- b.nanoseconds) }

    @inlinable
    public static func - (a: Monotonic, b: Monotonic) -> Interval {
        Interval(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }

    @inlinable
    public static func += (a: inout Monotonic, b: Interval) { a = a + b }
}

/// A signed length of time, in nanoseconds.
public struct Interval: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Interval(nanoseconds: 0)

    @inlinable
    public static func microseconds(_ count: Int64) -> Interval { Interval(nanoseconds: count * 1_000) }
    @inlinable
    public static func milliseconds(_ count: Int64) -> Interval { Interval(nanoseconds: count * 1_000_000) }
    @inlinable
    public static func seconds(_ count: Int64) -> Interval { Interval(nanoseconds: count * 1_000_000_000) }

    /// Rounded toward zero.
    @inlinable
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    @inlinable
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    @inlinable
    public static func < (a: Interval, b: Interval) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable
    public static func + (a: Interval, b: Interval) -> Interval {
        Interval(nanoseconds: a.nanoseconds &+ b.nanoseconds)
    }
    @inlinable
    public static func - (a: Interval, b: Interval) -> Interval {
        Interval(nanoseconds: a.nanoseconds &- b.nanoseconds)
    }
    @inlinable
    public static func * (a: Interval, b: Int64) -> Interval { Interval(nanoseconds: a.nanoseconds &* b) }
    @inlinable
    public static func / (a: Interval, b: Int64) -> Interval { Interval(nanoseconds: a.nanoseconds / b) }
    @inlinable
    public static prefix func - (a: Interval) -> Interval { Interval(nanoseconds: 0 &- a.nanoseconds) }
    @inlinable
    public static func += (a: inout Interval, b: Interval) { a = a + b }
    @inlinable
    public static func -= (a: inout Interval, b: Interval) { a = a - b }
    @inlinable
    public var magnitude: Interval { nanoseconds < 0 ? -self : self }
}
