/// Whether the service can do its work, for probes.
package struct ServiceHealth: Equatable, Sendable {
    /// What is not as it should be, each as the end of "not ready: …"; empty when all is well.
    package var missing: [String]
    /// Whether another session would be taken.
    package var isAvailable: Bool

    package init(missing: [String] = [], isAvailable: Bool) {
        self.missing = missing
        self.isAvailable = isAvailable
    }

    /// The answer to a probe.
    package struct Answer: Equatable, Sendable {
        package var status: Int
        package var body: String

        package init(status: Int, body: String) {
            self.status = status
            self.body = body
        }
    }

    /// `/health` tells whether the service is ready, `/availability` whether it has room; any other path tells only that
    /// it runs, which must never fail because Redis does: an orchestrator would restart it.
    package func answer(to path: String) -> Answer {
        switch path {
        case "/availability":
            return missing.isEmpty && isAvailable
                ? Answer(status: 200, body: "Available") : Answer(status: 503, body: "Not available")
        case "/health" where !missing.isEmpty:
            return Answer(status: 503, body: "Not ready: " + missing.joined(separator: "; "))
        default: return Answer(status: 200, body: "Healthy")
        }
    }
}
