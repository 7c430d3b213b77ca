package import Bytes

/// What the receiver of a stream reports about it.
package struct ReceiveReportStatistics: Hashable, Sendable {
    /// Loss in the last report's span, 0…1.
    package private(set) var fractionLost = 0.0
    /// Packets lost since the start; duplicates count against it.
    package private(set) var cumulativeLost = 0
    /// Interarrival jitter.
    package private(set) var jitter = Interval.zero
    /// Of the last report that allowed to measure it.
    package private(set) var roundTrip: Interval?
    /// Sequence number with wraps, as the receiver counts them.
    package private(set) var highestSequence: UInt32 = 0
    package private(set) var reportCount = 0
    package private(set) var lastReportAt: Monotonic?

    package init() {}

    /// `clockRate` is that of the stream; `arrival` the same instant as `now` on the clock of the sender reports.
    package mutating func receive(_ block: ReportBlock, clockRate: Int, arrival: NTPTime, at now: Monotonic) {
        fractionLost = Double(block.fractionLost) / 256
        cumulativeLost = Int(block.cumulativeLost)
        jitter = Interval(nanoseconds: Int64(block.jitter) * 1_000_000_000 / Int64(max(clockRate, 1)))
        roundTrip = block.roundTrip(arrival: arrival) ?? roundTrip
        highestSequence = block.highestSequence
        reportCount += 1
        lastReportAt = now
    }
}
