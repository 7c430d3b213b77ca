/// Thins a source to a maximum frame rate, evenly and by presentation time. Pure.
///
/// A source that is faster by no more than a tenth passes whole: cameras and browsers that mean the allowed rate are often
/// a little above it, and each picture left out would be a stutter.
///
/// Each picture that passes makes the next one due one interval later. A picture may come up to three quarters of an
/// interval early, so that a source at the allowed rate passes whole whatever its jitter, and so that the borderline
/// never falls on the picture times of sources at a multiple of the rate.
package struct FramePacer: Sendable {
    private static let smoothing: Int64 = 8
    /// Part of the interval that pictures may be closer.
    private static let excess: Int64 = 10

    private let interval: Int64
    private let tolerance: Int64
    private var due: Int64?
    private var last: Int64 = 0
    /// Smoothed time between the source's pictures; short at first, as that of a fast source.
    private var spacing: Int64 = 0

    package init(maxFrameRate: Double) {
        interval = Int64(1e9 / maxFrameRate)
        tolerance = interval * 3 / 4
    }

    /// Whether the picture at `pts` (nanoseconds, growing) is wanted.
    package mutating func admit(_ pts: Int64) -> Bool {
        guard let due else {
            self.due = pts &+ interval
            last = pts
            return true
        }
        spacing += (min(max(pts &- last, 0), interval) - spacing) / Self.smoothing
        last = pts
        guard spacing < interval - interval / Self.excess else {
            self.due = pts &+ interval
            return true
        }
        guard pts >= due &- tolerance else { return false }
        self.due = max(due, pts) &+ interval
        return true
    }

    /// Forgets the past, after a jump of the source's clock.
    package mutating func reset() {
        due = nil
        spacing = 0
    }
}

/// Measures pictures per second over windows of a second of source time. Pure.
package struct FrameRateMeter: Sendable {
    static let window: Int64 = 1_000_000_000
    /// A longer pause is a gap, not a slow source.
    static let longestInterval: Int64 = 1_000_000_000

    private var start: Int64?
    private var last: Int64 = 0
    private var count = 0
    /// The last full window's rate; 0 before the first.
    package private(set) var framesPerSecond = 0.0

    package init() {}

    /// Returns the new rate when a window ended.
    @discardableResult
    package mutating func record(_ pts: Int64) -> Double? {
        guard let start, pts > last, pts &- last <= Self.longestInterval else {
            self.start = pts
            last = pts
            count = 0
            return nil
        }
        last = pts
        count += 1
        let elapsed = pts - start
        guard elapsed >= Self.window else { return nil }
        framesPerSecond = Double(count) * 1e9 / Double(elapsed)
        self.start = pts
        count = 0
        return framesPerSecond
    }
}
