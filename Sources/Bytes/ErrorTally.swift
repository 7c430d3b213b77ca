/// Counts failures of one kind and keeps the last, so that a flood of bad packets makes one log line a second.
public struct ErrorTally<Failure: Error & Sendable>: Sendable {
    /// All failures since the start.
    public private(set) var total: UInt64 = 0
    private var sinceReport = 0
    private var last: Failure?

    public init() {}

    public mutating func record(_ failure: Failure) {
        total &+= 1
        sinceReport += 1
        last = failure
    }

    /// What came since the last call; nil when nothing did.
    public mutating func drain() -> (count: Int, last: Failure)? {
        guard let failure = last else { return nil }
        defer {
            last = nil
            sinceReport = 0
        }
        return (sinceReport, failure)
    }
}
