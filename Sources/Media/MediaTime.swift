/// A time on the source's or the session's media timeline, in nanoseconds; signed.
public typealias MediaTime = Int64

extension MediaTime {
    /// From `value` ticks of 1/`rate` s, without overflow for any value that a 64-bit millisecond or RTP clock can reach.
    @inlinable
    public init(ticks value: Int64, rate: Int64) {
        let (seconds, rest) = value.quotientAndRemainder(dividingBy: rate)
        self = seconds &* 1_000_000_000 &+ rest &* 1_000_000_000 / rate
    }

    /// This time in ticks of 1/`rate` s, rounded down.
    @inlinable
    public func ticks(rate: Int64) -> Int64 {
        let seconds = self >= 0 ? self / 1_000_000_000 : (self - 999_999_999) / 1_000_000_000
        let rest = self - seconds * 1_000_000_000
        return seconds &* rate &+ rest * rate / 1_000_000_000
    }
}
