package import Bytes
package import Media

/// Maps a source's timestamps to the session timeline, whose unit is the server's monotonic clock in nanoseconds.
///
/// One offset serves audio and video, so their distance is never touched. It is fixed by the first frame and moves only when
/// the source's clock jumps, or when a stall was not made good: then both tracks leave the same visible gap in RTP time.
/// Because every session of a key lands on the same timeline, a viewer's RTP clock goes on across departures and returns.
package struct SourceTimeline: Sendable {
    package enum Limits {
        /// A timestamp that moves this much further than time itself did is a jump of the source's clock.
        package static let jump = Interval.seconds(2)
        /// A lag that stays above this for `stallWindow` is moved into the offset.
        package static let lag = Interval.milliseconds(250)
        package static let stallWindow = Interval.milliseconds(1_500)
        /// How far one track's first timestamp may lie from the other's before it counts as a jump.
        package static let reordering = Interval.seconds(10)
    }

    /// session time - source time, in nanoseconds.
    private var offset: Int64?
    private var lastSource: [MediaTime?] = [nil, nil]
    private var lastMapped: [MediaTime?] = [nil, nil]
    private var lastArrival: [Monotonic] = [.zero, .zero]
    private var windowStart: Monotonic?
    private var smallestLag = Interval(nanoseconds: .max)

    /// Times the offset moved because the source's clock jumped.
    package private(set) var jumps = 0
    /// Times the offset moved because a stall was not made good.
    package private(set) var stalls = 0

    package init() {}

    /// The place of a frame on the session timeline. `dts` of the source decides about jumps; the caller adds pts - dts.
    package mutating func map(dts: MediaTime, kind: MediaKind, arrivedAt: Monotonic) -> MediaTime {
        let track = Int(kind.rawValue)
        defer {
            lastSource[track] = dts
            lastArrival[track] = arrivedAt
        }
        guard let current = offset else {
            offset = arrivedAt.nanoseconds &- dts
            return keep(arrivedAt.nanoseconds, track)
        }
        if hasJumped(dts: dts, track: track, arrivedAt: arrivedAt) {
            jumps += 1
            let newest = lastMapped.compactMap { $0 }.max() ?? 0
            let anchor = max(arrivedAt.nanoseconds, newest &+ 1_000_000)
            offset = anchor &- dts
            lastSource = [nil, nil]
            windowStart = nil
            return keep(anchor, track)
        }
        let mapped = dts &+ current
        noteLag(arrivedAt - Monotonic(nanoseconds: mapped), at: arrivedAt)
        return keep(dts &+ (offset ?? current), track)
    }

    private mutating func keep(_ mapped: MediaTime, _ track: Int) -> MediaTime {
        lastMapped[track] = mapped
        return mapped
    }

    /// True when source time moved by more than `Limits.jump` further, or further back, than the clock did.
    private func hasJumped(dts: MediaTime, track: Int, arrivedAt: Monotonic) -> Bool {
        guard let previous = lastSource[track] else {
            guard let other = lastSource[1 - track] else { return true }
            return Interval(nanoseconds: dts &- other).magnitude > Limits.reordering
        }
        let step = Interval(nanoseconds: dts &- previous)
        if step < -Limits.jump { return true }
        return step > (arrivedAt - lastArrival[track]) + Limits.jump
    }

    /// A lag that nothing in a whole window undercuts is a stall that the source does not pay back.
    private mutating func noteLag(_ lag: Interval, at now: Monotonic) {
        guard let start = windowStart else {
            windowStart = now
            smallestLag = lag
            return
        }
        smallestLag = min(smallestLag, lag)
        guard now - start >= Limits.stallWindow else { return }
        if smallestLag > Limits.lag {
            stalls += 1
            offset = offset.map { $0 &+ smallestLag.nanoseconds }
        }
        windowStart = now
        smallestLag = Interval(nanoseconds: .max)
    }
}
