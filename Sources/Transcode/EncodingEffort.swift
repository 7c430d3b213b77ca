package import Bytes

/// How much work an encoder puts into a picture. Less costs quality at the same bit rate, and never a picture.
package enum EncodingEffort: Int, Sendable, Hashable, CaseIterable, Comparable {
    case full, reduced, least

    package static func < (a: EncodingEffort, b: EncodingEffort) -> Bool { a.rawValue > b.rawValue }

    var less: EncodingEffort? { EncodingEffort(rawValue: rawValue + 1) }
    var more: EncodingEffort? { EncodingEffort(rawValue: rawValue - 1) }
}

/// Chooses the effort that the machine has time for: less as soon as pictures are left out or about to be, more again
/// after a long time with room. A step up that had to be taken back makes the next one wait twice as long.
package struct EffortControl: Sendable {
    package enum Limits {
        /// Share of a picture's time that its work may take.
        package static let pressed = 0.9
        /// Below this share the next more costly effort fits with room.
        package static let relieved = 0.45
        package static let pressureTime = Interval.milliseconds(300)
        /// Between two changes, for the work to show what it costs now.
        package static let settleTime = Interval.milliseconds(700)
        package static let reliefTime = Interval.seconds(10)
        package static let longestReliefTime = Interval.seconds(160)
    }

    package private(set) var effort = EncodingEffort.full
    /// Smoothed share of the time between two pictures that one takes.
    package private(set) var share = 0.0
    private var pressedSince: Monotonic?
    private var relievedSince: Monotonic?
    private var changedAt: Monotonic?
    private var raisedAt: Monotonic?
    private var reliefTime = Limits.reliefTime

    package init() {}

    /// Notes a picture: what its work took, or nil when it was left out for want of time. True when the effort changed.
    /// - Parameter spacing: time between two pictures of the source.
    package mutating func record(cost: Interval?, spacing: Interval, at now: Monotonic) -> Bool {
        if let cost { share += (cost.seconds / max(spacing.seconds, 0.001) - share) / 8 }
        let isPressed = cost == nil || share > Limits.pressed
        pressedSince = isPressed ? pressedSince ?? now : nil
        relievedSince = !isPressed && share < Limits.relieved ? relievedSince ?? now : nil
        if let changedAt, now - changedAt < Limits.settleTime { return false }
        if let since = pressedSince, now - since >= Limits.pressureTime, let less = effort.less {
            if let raisedAt, now - raisedAt < reliefTime { reliefTime = min(reliefTime * 2, Limits.longestReliefTime) }
            raisedAt = nil
            change(to: less, at: now)
            return true
        }
        if let since = relievedSince, now - since >= reliefTime, let more = effort.more {
            raisedAt = now
            change(to: more, at: now)
            return true
        }
        return false
    }

    private mutating func change(to next: EncodingEffort, at now: Monotonic) {
        effort = next
        changedAt = now
        pressedSince = nil
        relievedSince = nil
    }
}
