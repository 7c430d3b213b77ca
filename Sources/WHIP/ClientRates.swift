package import Bytes

/// Who counts as one client: an IPv4 address, or the network of an IPv6 one, of which anybody has as many as wanted.
/// Those on this machine are not counted: what they could do here, they can do otherwise.
package struct ClientGroup: Hashable, Sendable {
    private let ip: TransportAddress.IP

    package init?(_ address: TransportAddress.IP?) {
        guard let address, !address.isLoopback else { return nil }
        if case .v6(let network, _) = address { ip = .v6(network, 0) } else { ip = address }
    }
}

/// So many requests at once, and so many a second in the long run.
package struct RequestRate: Equatable, Sendable {
    package var burst: Int
    package var perSecond: Int

    package init(burst: Int, perSecond: Int) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// A rate for each client, kept as the one instant at which all that was taken is paid back.
struct ClientRates {
    private let period: Interval
    private let allowance: Interval
    /// Only of those who owe something. The key nil is shared by whom there was no room for.
    private var debts: [ClientGroup?: Monotonic] = [:]
    private var nextSweep = Monotonic.zero

    init(_ rate: RequestRate) {
        period = Interval.seconds(1) / Int64(max(1, rate.perSecond))
        allowance = period * Int64(max(1, rate.burst))
    }

    /// Nil when the request may go on, and counts; otherwise how long to wait, in whole seconds.
    mutating func take(_ client: ClientGroup, at now: Monotonic) -> Int? {
        let key = slot(of: client, at: now)
        let debt = max(debts[key] ?? now, now) + period
        let excess = debt - now - allowance
        guard excess <= .zero else { return Int(clamping: (excess.nanoseconds &+ 999_999_999) / 1_000_000_000) }
        debts[key] = debt
        return nil
    }

    private mutating func slot(of client: ClientGroup, at now: Monotonic) -> ClientGroup? {
        if debts[client] != nil || debts.count < WHIPLimits.clients { return client }
        guard now >= nextSweep else { return nil }
        nextSweep = now + .seconds(1)
        debts = debts.filter { $0.value > now }
        return debts.count < WHIPLimits.clients ? client : nil
    }
}
