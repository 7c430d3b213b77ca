import HTTPTypes
import Hummingbird
import NIOCore

/// The daemon's port for encoders: WHIP on every path, and probes on `/`, `/health` and `/availability`.
package struct WHIPHTTPService: Sendable {
    private let respond: ResourceResponder
    private let health: @Sendable () async -> ServiceHealth
    private let tls: ReloadableTLS?

    /// `tls`: the port is HTTPS.
    package init(
        respond: @escaping ResourceResponder, health: @escaping @Sendable () async -> ServiceHealth,
        tls: ReloadableTLS? = nil
    ) {
        self.respond = respond
        self.health = health
        self.tls = tls
    }

    /// Serves until cancelled; throws when the port is taken. `onRunning` is called once it is bound, with its number.
    package func run(host: String, port: Int, onRunning: @escaping @Sendable (Int) async -> Void) async throws {
        let responder = CallbackResponder<PeerRequestContext> { request, context in await answer(request, context) }
        try await HTTPListener.run(responder, host: host, port: port, tls: tls, onRunning: onRunning)
    }

    private func answer(_ request: Request, _ context: PeerRequestContext) async -> Response {
        if request.method == .get || request.method == .head,
            ["/", "/health", "/availability"].contains(request.uri.path)
        {
            return ProbeService.response(await health().answer(to: request.uri.path), ProbeService.plainText)
        }
        return await ResourceHTTPAdapter.answer(request, context, isSecure: tls != nil, by: respond)
    }
}
