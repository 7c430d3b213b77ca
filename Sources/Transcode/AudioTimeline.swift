import Media

/// Lays samples of 48 kHz onto the source's presentation times. Pure.
///
/// Between corrections the sample count is the clock. Where the source's times run away slowly the timeline says by how
/// much to stretch; where they jump it says so, and the times of the samples jump with them.
package struct AudioTimeline: Sendable {
    package enum Step: Equatable, Sendable {
        /// The samples follow on.
        case follow
        /// The source left a gap, or began anew: what waits is to be flushed, then `restart` called.
        case jump
        /// The samples lie in time that was already sent.
        case overlap
    }

    /// More than this is a jump; less is drift.
    static let jump: Int64 = 30_000_000
    /// A step back beyond this is a new timeline rather than samples sent twice.
    static let longestOverlap: Int64 = 1_000_000_000
    /// Drift below a millisecond is the rounding of RTMP's times.
    static let deadBand: Int64 = 1_000_000
    /// Samples over which one correction is spread, and the most it may add: half a percent, which no ear hears.
    static let correctionSamples: Int64 = 48_000
    static let maxCorrection: Int64 = 240
    private static let smoothing: Int64 = 16

    private var anchor: Int64?
    private var samplesSinceAnchor: Int64 = 0
    /// Smoothed distance of the source's times from the sample clock, in nanoseconds; positive when the source is
    /// ahead.
    package private(set) var drift: Int64 = 0
    package init() {}

    private var samplesToCorrection = correctionSamples

    /// The time of the next sample to leave; nil before the first.
    package var position: Int64? { anchor.map { $0 &+ Self.duration(samplesSinceAnchor) } }

    static func duration(_ samples: Int64) -> Int64 { Int64(ticks: samples, rate: 48_000) }

    /// Judges samples that begin at `pts`, with `waiting` samples before them that have not left.
    package mutating func judge(_ pts: Int64, waiting: Int64) -> Step {
        guard let position else { return .jump }
        let error = pts &- (position &+ Self.duration(waiting))
        if error > Self.jump || error < -Self.longestOverlap { return .jump }
        if error < -Self.jump { return .overlap }
        drift += (error - drift) / Self.smoothing
        return .follow
    }

    package mutating func restart(at pts: Int64) {
        anchor = pts
        samplesSinceAnchor = 0
        drift = 0
        samplesToCorrection = Self.correctionSamples
    }

    package mutating func advance(_ samples: Int64) { samplesSinceAnchor += samples }

    /// After `samples` came in: samples to add over the next `correctionSamples`, once in that many.
    package mutating func correction(after samples: Int64) -> Int32? {
        samplesToCorrection -= samples
        guard samplesToCorrection <= 0 else { return nil }
        samplesToCorrection = Self.correctionSamples
        guard drift.magnitude > Self.deadBand.magnitude else { return nil }
        // Half of what is missing: the smoothed drift lags behind, and all of it would overshoot.
        let half = drift * 48 / 1_000_000 / 2
        return Int32(clamping: min(max(half, -Self.maxCorrection), Self.maxCorrection))
    }
}
