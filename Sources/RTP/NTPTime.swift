package import Bytes

/// A wall-clock time as RTCP carries it: seconds since 1900 in the upper 32 bits, fraction in the lower (RFC 3550
/// section 4).
package struct NTPTime: Hashable, Sendable {
    /// Seconds between 1900 and 1970.
    private static let unixEpoch: UInt64 = 2_208_988_800

    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// From nanoseconds since 1970.
    package init(unixNanoseconds: Int64) {
        self = Self(rawValue: Self.unixEpoch << 32).advanced(by: Interval(nanoseconds: unixNanoseconds))
    }

    /// The middle 32 bits, in 1/65,536 s: what report blocks echo.
    package var compact: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 16) }

    /// Wraps with the 32-bit second count (2036).
    package func advanced(by interval: Interval) -> NTPTime {
        let billion: Int64 = 1_000_000_000
        var (seconds, rest) = interval.nanoseconds.quotientAndRemainder(dividingBy: billion)
        if rest < 0 {
            rest += billion
            seconds -= 1
        }
        let fraction = UInt64(rest) << 32 / UInt64(billion)
        return NTPTime(rawValue: rawValue &+ UInt64(bitPattern: seconds) << 32 &+ fraction)
    }

    /// `compact` units as an interval; a difference in the upper half of the range is negative.
    package static func interval(compact units: UInt32) -> Interval {
        Interval(nanoseconds: (Int64(Int32(bitPattern: units)) * 1_000_000_000) >> 16)
    }

    /// An interval in 1/65,536 s, saturating at 0 and at the largest value.
    package static func compactUnits(_ interval: Interval) -> UInt32 {
        let (seconds, rest) = max(interval.nanoseconds, 0).quotientAndRemainder(dividingBy: 1_000_000_000)
        guard seconds <= 0xFFFF else { return .max }
        return UInt32(truncatingIfNeeded: seconds << 16 | rest << 16 / 1_000_000_000)
    }
}

/// Ties the monotonic clock to wall-clock time once, so that all tracks and layers report on one timeline that never
/// jumps, even when the host's clock is set.
package struct NTPClock: Hashable, Sendable {
    private let anchor: Monotonic
    private let anchorTime: NTPTime

    package init(_ time: NTPTime, at instant: Monotonic) {
        anchor = instant
        anchorTime = time
    }

    package func time(at instant: Monotonic) -> NTPTime { anchorTime.advanced(by: instant - anchor) }
}
