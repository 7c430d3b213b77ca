package import Bytes

/// Bytes and events per second over the last two seconds, without allocation.
package struct RateMeter: Sendable {
    private static let bucketLength = Interval.milliseconds(100)
    private static let bucketCount = 20

    private var bytes = [Int](repeating: 0, count: bucketCount)
    private var events = [Int](repeating: 0, count: bucketCount)
    private var newest: Int64 = .min
    private var began: Monotonic?

    package private(set) var totalBytes: UInt64 = 0
    package private(set) var totalEvents: UInt64 = 0

    package init() {}

    package mutating func add(bytes count: Int, events newEvents: Int = 1, at now: Monotonic) {
        let bucket = roll(to: now)
        bytes[bucket] += count
        events[bucket] += newEvents
        totalBytes &+= UInt64(count)
        totalEvents &+= UInt64(newEvents)
    }

    package mutating func bitsPerSecond(at now: Monotonic) -> Double {
        _ = roll(to: now)
        return Double(bytes.reduce(0, +) * 8) / span(at: now)
    }

    package mutating func eventsPerSecond(at now: Monotonic) -> Double {
        _ = roll(to: now)
        return Double(events.reduce(0, +)) / span(at: now)
    }

    /// Seconds that the buckets cover, the present one as far as it has gone: less than two, and right after the start as
    /// long as it was ago.
    private func span(at now: Monotonic) -> Double {
        guard let began else { return 1 }
        let oldest = Monotonic(nanoseconds: (newest - Int64(Self.bucketCount) + 1) * Self.bucketLength.nanoseconds)
        return max(now - max(began, oldest), Self.bucketLength).seconds
    }

    /// Empties the buckets that time has passed over; the index of the current one.
    private mutating func roll(to now: Monotonic) -> Int {
        let index = now.nanoseconds / Self.bucketLength.nanoseconds
        if began == nil { began = now }
        if index > newest {
            let steps = newest == .min ? Int64(Self.bucketCount) : min(index - newest, Int64(Self.bucketCount))
            for step in 0..<steps {
                let bucket = Int((index - step) % Int64(Self.bucketCount))
                bytes[bucket] = 0
                events[bucket] = 0
            }
            newest = index
        }
        return Int(newest % Int64(Self.bucketCount))
    }
}
