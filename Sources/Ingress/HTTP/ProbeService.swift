import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// A port that answers every path with a short text: probes on `health_port`, metrics on `prometheus_port`.
package struct ProbeService: Sendable {
    /// A connection that sends or reads nothing for so long is closed.
    private static let idleSeconds: Int64 = 20

    private let answer: @Sendable (_ path: String) async -> (ServiceHealth.Answer, contentType: String)

    /// `/health`, `/availability`, and "Healthy" for everything else.
    package static func health(_ health: @escaping @Sendable () async -> ServiceHealth) -> ProbeService {
        ProbeService { path in (await health().answer(to: path), "text/plain; charset=utf-8") }
    }

    /// The registry's series, under any path.
    package static func metrics(_ registry: PrometheusRegistry) -> ProbeService {
        ProbeService { _ in
            (ServiceHealth.Answer(status: 200, body: registry.exposition()), "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    private init(answer: @escaping @Sendable (String) async -> (ServiceHealth.Answer, contentType: String)) {
        self.answer = answer
    }

    /// Serves until cancelled; throws when the port is taken. `onRunning` is called once it is bound, with its number.
    package func run(host: String, port: Int, onRunning: @escaping @Sendable (Int) async -> Void) async throws {
        let answer = answer
        var logger = Logger(label: "http")
        logger.logLevel = .critical
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                let (answer, type) = await answer(request.uri.path)
                return Response(
                    status: .init(code: answer.status), headers: [.contentType: type, .cacheControl: "no-store"],
                    body: .init(byteBuffer: ByteBuffer(string: answer.body)))
            },
            server: .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
            configuration: .init(address: .hostname(host, port: port), serverName: "ingress"),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? port) },
            logger: logger)
        try await application.run()
    }
}
