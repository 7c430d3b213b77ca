import Bytes
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Runtime
package import WHIP

/// The HTTP side of the test server: the page, the reports, and WHEP.
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

    /// A connection that sends or reads nothing for so long is closed.
    private static let idleSeconds: Int64 = 20

    private let assets: [Asset]
    private let reporter: RoomReporter
    private let metrics: PrometheusRegistry
    private let whep: WHEPEndpoint<RoomViewers>

    package init(
        assets: [Asset], reporter: RoomReporter, metrics: PrometheusRegistry, whep: WHEPEndpoint<RoomViewers>
    ) {
        self.assets = assets
        self.reporter = reporter
        self.metrics = metrics
        self.whep = whep
    }

    /// Serves until cancelled; `onRunning` is called once the port is bound, with its number.
    package func run(host: String, port: Int, onRunning: @escaping @Sendable (Int) async -> Void) async throws {
        let application = Application(
            router: router(),
            server: .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
            configuration: .init(address: .hostname(host, port: port), serverName: "ingress"),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? port) },
            logger: Self.quietLogger)
        try await application.run()
    }

    /// The library's own lines ("server started") say nothing that the banner does not.
    private static var quietLogger: Logger {
        var logger = Logger(label: "http")
        logger.logLevel = .critical
        return logger
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
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
        for method in [HTTPRequest.Method.post, .patch, .delete, .options, .get, .put, .head] {
            router.on("/whep/**", method: method) { request, _ in await answer(request) }
        }
        return router
    }

    /// Hands a request to the WHEP resources, whole, or refuses it when its body is too long.
    private func answer(_ request: Request) async -> Response {
        var body: [UInt8] = []
        do {
            for try await var part in request.body {
                body += part.readBytes(length: part.readableBytes) ?? []
                // One byte too many is enough for the resource to refuse it.
                if body.count > WHIPLimits.offerBytes { break }
            }
        } catch {
            return Response(status: .badRequest)
        }
        let headers = request.headers.map { HeaderField($0.name.canonicalName, $0.value) }
        let answer = await whep.respond(
            to: WHEPRequest(
                method: request.method.rawValue, target: request.uri.string, headers: headers,
                body: Array(body.prefix(WHIPLimits.offerBytes + 1))))
        var fields = HTTPFields()
        for header in answer.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        return Response(
            status: .init(code: answer.status), headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }

    private static let pageHeaders: HTTPFields = [
        .cacheControl: "no-cache",
        .contentSecurityPolicy:
            "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'",
        .xContentTypeOptions: "nosniff",
    ]

    private static func response(_ body: [UInt8], _ type: String, _ extra: HTTPFields = [:]) -> Response {
        var headers = extra
        headers[.contentType] = type
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
