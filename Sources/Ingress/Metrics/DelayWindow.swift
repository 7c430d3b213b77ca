package import Bytes

/// The last few hundred delays, for medians and tails that follow the moment.
package struct DelayWindow: Sendable {
    private static let capacity = 300

    private var samples: [Int64] = []
    private var next = 0

    package init() { samples.reserveCapacity(Self.capacity) }

    package mutating func add(_ delay: Interval) {
        if samples.count < Self.capacity {
            samples.append(delay.nanoseconds)
        } else {
            samples[next] = delay.nanoseconds
            next = (next + 1) % Self.capacity
        }
    }

    /// The delays below which the given shares (0…1) of the window lie; zero when empty.
    package func percentiles(_ shares: [Double]) -> [Interval] {
        guard !samples.isEmpty else { return shares.map { _ in .zero } }
        let sorted = samples.sorted()
        return shares.map { share in
            let index = Int((share * Double(sorted.count)).rounded(.up)) - 1
            return Interval(nanoseconds: sorted[min(max(index, 0), sorted.count - 1)])
        }
    }
}
