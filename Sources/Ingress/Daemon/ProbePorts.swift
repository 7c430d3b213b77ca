import NIOCore
import ServiceConfiguration

/// The HTTP ports of probes and metrics.
struct ProbePorts: Sendable {
    private struct Port: Sendable {
        var key: String
        var number: Int
        var service: ProbeService
    }

    private let ports: [Port]

    init(_ configuration: IngressConfiguration, _ parts: DaemonParts) {
        let health = ProbeService.health { await parts.health }
        var ports: [Port] = []
        if configuration.healthPort > 0 {
            ports.append(Port(key: "health_port", number: configuration.healthPort, service: health))
        }
        if configuration.whipPort > 0 {
            ports.append(Port(key: "whip_port", number: configuration.whipPort, service: health))
        }
        if configuration.prometheusPort > 0 {
            ports.append(
                Port(
                    key: "prometheus_port", number: configuration.prometheusPort, service: .metrics(parts.registry)))
        }
        self.ports = ports
    }

    /// Serves all ports in the group; returns once they are bound, and throws when one cannot be.
    func open(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        for port in ports {
            let (bound, continuation) = AsyncStream<StartupError?>.makeStream()
            group.addTask {
                do {
                    try await port.service.run(host: "0.0.0.0", port: port.number) { _ in continuation.yield(nil) }
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
