package import Bytes
package import ServiceConfiguration
import Synchronization

/// Why a session is not taken.
package enum AdmissionRefusal: Error, Equatable, Sendable {
    /// `resource_exhausted`, "server capacity exceeded".
    case capacityExceeded
    /// `unavailable`, "server shutting down".
    case shuttingDown
}

/// The one budget of the process, asked by the loop, by HTTP and by the metrics.
package final class AdmissionControl: Sendable {
    private struct State {
        var budget: CPUBudget
        var isShuttingDown = false
    }

    private let state: Mutex<State>
    package let cpuCount: Double

    package init(budget: CPUBudget) {
        cpuCount = budget.cpuCount
        state = Mutex(State(budget: budget))
    }

    package func sampled(idle: Double) { state.withLock { $0.budget.sampled(idle: idle) } }

    /// Costs that a reload brought.
    package func update(costs: CPUCostConfiguration) { state.withLock { $0.budget.costs = costs } }

    /// From here on everything is refused.
    package func shutDown() { state.withLock { $0.isShuttingDown = true } }

    /// Takes the session or says why not; its cost is held for a second.
    package func accept(_ kind: SessionKind, at now: Monotonic) throws(AdmissionRefusal) {
        let refusal: AdmissionRefusal? = state.withLock { state in
            if state.isShuttingDown { return .shuttingDown }
            return state.budget.accept(kind, at: now) ? nil : .capacityExceeded
        }
        if let refusal { throw refusal }
    }

    /// The affinity that this node answers to the server's offer of a session: 1, or −1 for "not me".
    package func affinity(for kind: SessionKind, at now: Monotonic) -> Float {
        state.withLock { !$0.isShuttingDown && $0.budget.canAccept(kind, at: now) } ? 1 : -1
    }

    package func isAvailable(at now: Monotonic) -> Bool {
        state.withLock { !$0.isShuttingDown && $0.budget.isAvailable(at: now) }
    }

    /// 0…1.
    package var load: Double { state.withLock { $0.budget.load } }
}
