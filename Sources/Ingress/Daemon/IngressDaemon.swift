package import Logging
import Runtime
package import ServiceConfiguration

/// The whole service: encoders in, livekit-server beside it over Redis, a child per session, probes and metrics.
package struct IngressDaemon: Sendable {
    private let configuration: IngressConfiguration
    private let version: String
    private let levels: LogLevels
    private let reload: @Sendable () -> ConfigurationLoad
    private let log: Logger

    /// `reload` reads the configuration anew, from where it came.
    package init(
        configuration: IngressConfiguration, version: String, levels: LogLevels,
        reload: @escaping @Sendable () -> ConfigurationLoad, log: Logger
    ) {
        self.configuration = configuration
        self.version = version
        self.levels = levels
        self.reload = reload
        self.log = log
    }

    /// Serves until a signal ends it. Throws `StartupError` when it cannot start.
    package func run() async throws {
        let parts = try await DaemonParts.make(configuration, levels, log)
        do {
            let whip = try await parts.openWHIP()
            try await serve(parts, ProbePorts(configuration, parts, whip: whip))
        } catch {
            await parts.close()
            throw error
        }
    }

    private func serve(_ parts: DaemonParts, _ ports: ProbePorts) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await ports.open(in: &group)
            try await parts.listen()
            log.info(
                "ingress \(version) is up",
                metadata: [
                    "nodeID": "\(parts.nodeID)", "rtmp": "\(configuration.rtmpPort)",
                    "rtmps": "\(configuration.rtmpsPort)", "whip": "\(configuration.whipPort)",
                ])
            ResidentPages.giveBack(after: DaemonParts.settledAfter)
            group.addTask { try await signals(parts) }
            defer { group.cancelAll() }
            // The signal that ends the service, or a port that failed later.
            try await group.next()
        }
        await parts.close()
        log.info("ingress has stopped")
    }

    private func signals(_ parts: DaemonParts) async throws {
        for await signal in try await DaemonParts.signals() {
            switch signal {
            case .hangUp: await parts.reload(reload())
            case .interrupt:
                log.info("stopping at once")
                return await parts.stop()
            case .quit, .terminate: await parts.drain(within: configuration.drainDeadline)
            }
            if await parts.isDrained { return }
        }
    }
}
