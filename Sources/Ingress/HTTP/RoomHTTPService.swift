import Bytes
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Runtime
import WHIP

/// The HTTP side of the test server: the page, the reports, WHEP and WHIP.
package struct RoomHTTPService: Sendable {
    /// One file of the page, held in memory.
    package struct Asset: Sendable {
        package var path: String
        package var contentType: String
        package var body: [UInt8]

        package init(path: String, contentType: String, body: [UInt8]) {
            self.path = path
            self.contentType = contentType
            self.body = body
        }
    }

    private let assets: [Asset]
    private let reporter: RoomReporter
    private let metrics: PrometheusRegistry
    private let whep: ResourceResponder
    private let whip: ResourceResponder?

    /// `whep` gets what comes to `/whep/…`, `whip` what comes to `/whip` and below.
    package init(
        assets: [Asset], reporter: RoomReporter, metrics: PrometheusRegistry, whep: @escaping ResourceResponder,
        whip: ResourceResponder? = nil
    ) {
        self.assets = assets
        self.reporter = reporter
        self.metrics = metrics
        self.whep = whep
        self.whip = whip
    }

    /// Serves until cancelled; `onRunning` is called once the port is bound, with its number. With `tls` it is HTTPS; one
    /// service may run on several ports.
    package func run(
        host: String, port: Int, tls: ReloadableTLS? = nil, onRunning: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let responder = router(isSecure: tls != nil).buildResponder()
        try await HTTPListener.run(responder, host: host, port: port, tls: tls, onRunning: onRunning)
    }

    private func router(isSecure: Bool) -> Router<PeerRequestContext> {
        let router = Router(context: PeerRequestContext.self)
        for asset in assets {
            router.get(RouterPath(asset.path)) { _, _ in Self.response(asset.body, asset.contentType, Self.pageHeaders)
            }
        }
        router.get("/health") { _, _ in Self.response(Array("Healthy\n".utf8), "text/plain; charset=utf-8") }
        router.get("/streams") { _, _ in
            let report = await reporter.report(at: Monotonic.now)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return Self.response(Array(try encoder.encode(report)), "application/json", [.cacheControl: "no-store"])
        }
        router.get("/metrics") { _, _ in
            Self.response(Array(metrics.exposition().utf8), "text/plain; version=0.0.4; charset=utf-8")
        }
        for method in ResourceHTTPAdapter.methods {
            router.on("/whep/**", method: method) { request, context in
                await ResourceHTTPAdapter.answer(request, context, isSecure: isSecure, by: whep)
            }
            guard let whip else { continue }
            for path in ["/whip", "/whip/**"] as [RouterPath] {
                router.on(path, method: method) { request, context in
                    await ResourceHTTPAdapter.answer(request, context, isSecure: isSecure, by: whip)
                }
            }
        }
        return router
    }

    private static let pageHeaders: HTTPFields = [
        .cacheControl: "no-cache",
        .contentSecurityPolicy:
            "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
            + "worker-src 'self' blob:",
        .xContentTypeOptions: "nosniff",
    ]

    private static func response(_ body: [UInt8], _ type: String, _ extra: HTTPFields = [:]) -> Response {
        var headers = extra
        headers[.contentType] = type
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
