import NIOCore
import ServiceConfiguration

/// The HTTP ports: probes, metrics, and WHIP with probes beside it.
struct ProbePorts: Sendable {
    private struct Port: Sendable {
        /// Serves host and port until cancelled; calls back once they are bound.
        typealias Run = @Sendable (String, Int, @escaping @Sendable (Int) async -> Void) async throws -> Void

        var key: String
        var number: Int
        var run: Run
    }

    private let ports: [Port]

    /// Without `whip`, its port answers probes alone.
    init(_ configuration: IngressConfiguration, _ parts: DaemonParts, whip: WHIPHTTPService? = nil) {
        let health = ProbeService.health { await parts.health }
        var ports: [Port] = []
        let add = { (key: String, number: Int, run: @escaping Port.Run) in
            if number > 0 { ports.append(Port(key: key, number: number, run: run)) }
        }
        add("health_port", configuration.healthPort, health.run)
        add("whip_port", configuration.whipPort, whip?.run ?? health.run)
        add("prometheus_port", configuration.prometheusPort, ProbeService.metrics(parts.registry).run)
        self.ports = ports
    }

    /// Serves all ports in the group; returns once they are bound, and throws when one cannot be.
    func open(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        for port in ports {
            let (bound, continuation) = AsyncStream<StartupError?>.makeStream()
            group.addTask {
                do {
                    try await port.run("0.0.0.0", port.number) { _ in continuation.yield(nil) }
                } catch is CancellationError {
                } catch {
                    let reason = (error as? IOError).map { String(describing: $0) } ?? "\(error)"
                    let failure = StartupError.httpPort(key: port.key, number: port.number, reason: reason)
                    continuation.yield(failure)
                    throw failure
                }
            }
            for await failure in bound {
                if let failure { throw failure }
                break
            }
        }
    }
}
