package import Bytes
import Glibc

/// The machine's clocks. Sans-IO code gets their values as arguments; the loop reads the first once per wake-up.
package enum SystemClock {
    /// Seconds from 1900 to 1970, the epochs of NTP and Unix.
    private static let ntpOffsetSeconds: UInt64 = 2_208_988_800

    /// Nanoseconds since 1970-01-01 UTC. May jump.
    package static func unixNanoseconds() -> Int64 { Syscalls.nanoseconds(of: CLOCK_REALTIME) }

    /// The wall clock in NTP's 32.32 fixed-point form (RFC 3550 section 4).
    package static func ntp() -> UInt64 { ntp(unixNanoseconds: unixNanoseconds()) }

    package static func ntp(unixNanoseconds: Int64) -> UInt64 {
        let (seconds, rest) = UInt64(max(0, unixNanoseconds)).quotientAndRemainder(dividingBy: 1_000_000_000)
        return (seconds &+ ntpOffsetSeconds) << 32 | (rest << 32) / 1_000_000_000
    }

    /// Processor time that this process has used, all threads together.
    package static func processTime() -> Interval {
        Interval(nanoseconds: Syscalls.nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID))
    }
}

extension Monotonic {
    /// CLOCK_MONOTONIC. On the loop, `MediaLoop.now` costs nothing and is the same for all that one wake-up does.
    package static var now: Monotonic { Monotonic(nanoseconds: Syscalls.nanoseconds(of: CLOCK_MONOTONIC)) }
}
