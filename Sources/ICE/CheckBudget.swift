import Bytes

/// Bounds the checks to addresses that have not answered yet (RFC 8445 section 19.5.1, RFC 8863's security
/// considerations): whoever writes an offer chooses them, and need not own them.
///
/// Kept as the one instant at which all that was taken is paid back.
struct CheckBudget {
    private let period: Interval
    private let allowance: Interval
    private var debt: Monotonic

    /// - Parameter burst: at once.
    init(burst: Int, perSecond: Int, at now: Monotonic) {
        period = Interval.seconds(1) / Int64(max(1, perSecond))
        allowance = period * Int64(max(1, burst))
        debt = now
    }

    /// Whether one more may be sent, which then counts. Addresses that nothing but the description names have only half
    /// of it: the rest is for those from which an authenticated request came.
    mutating func take(named: Bool, at now: Monotonic) -> Bool {
        let owed = max(debt, now) + period
        guard owed - now <= (named ? allowance / 2 : allowance) else { return false }
        debt = owed
        return true
    }
}
