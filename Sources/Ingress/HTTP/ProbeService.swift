import HTTPTypes
import Hummingbird
import NIOCore

/// A port that answers every path with a short text: probes on `health_port`, metrics on `prometheus_port`.
package struct ProbeService: Sendable {
    static let plainText = "text/plain; charset=utf-8"

    private let answer: @Sendable (_ path: String) async -> (ServiceHealth.Answer, contentType: String)

    /// `/health`, `/availability`, and "Healthy" for everything else.
    package static func health(_ health: @escaping @Sendable () async -> ServiceHealth) -> ProbeService {
        ProbeService { path in (await health().answer(to: path), plainText) }
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
        let responder = CallbackResponder<PeerRequestContext> { request, _ in
            let (answer, type) = await answer(request.uri.path)
            return Self.response(answer, type)
        }
        try await HTTPListener.run(responder, host: host, port: port, tls: nil, onRunning: onRunning)
    }

    static func response(_ answer: ServiceHealth.Answer, _ type: String) -> Response {
        Response(
            status: .init(code: answer.status), headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: answer.body)))
    }
}
