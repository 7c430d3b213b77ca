package import Bytes

/// Counts of latencies in the buckets of LiveKit's histogram: 5 ms, doubled eleven times, and what is beyond.
package struct LatencyHistogram: Sendable, Equatable {
    package static let bounds: [Double] = (0..<12).map { 0.005 * Double(1 << $0) }

    /// One a bucket, not summed up; the last is beyond all bounds.
    package private(set) var counts = [UInt32](repeating: 0, count: bounds.count + 1)
    /// Seconds.
    package private(set) var sum = 0.0

    package init() {}

    package var isEmpty: Bool { !counts.contains { $0 > 0 } }

    package mutating func add(_ latency: Interval) {
        let seconds = max(0, latency.seconds)
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] &+= 1
        sum += seconds
    }

    /// Takes the counts and begins anew.
    package mutating func drain() -> LatencyHistogram {
        defer {
            for index in counts.indices { counts[index] = 0 }
            sum = 0
        }
        return self
    }
}
