import Bytes
import DTLS
import HTTPTypes
import Hummingbird
import HummingbirdCore
import LiveKit
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Runtime
import Synchronization
import WHIP

/// How the HTTP ports of this process are served: HTTP/1.1, over TLS where there is a certificate, with a deadline for each
/// step of a request, small headers, and a bound on connections.
enum HTTPListener {
    private enum Limits {
        static let headerField = 8 * 1024
        static let headers = 32 * 1024
        static let headerFields = 100
        /// Beyond it connections wait in the kernel until one ends, which the deadlines see to.
        static let connections = 2_000
    }

    /// Serves until cancelled; throws when the port is taken. `onRunning` is called once it is bound, with its number.
    static func run<Responder: HTTPResponder>(
        _ responder: Responder, host: String, port: Int, tls: ReloadableTLS?,
        onRunning: @escaping @Sendable (Int) async -> Void
    ) async throws where Responder.Context == PeerRequestContext {
        let channel = GuardedChannel(
            base: HTTP1Channel(
                responder: { request, writer, channel in
                    let response = try await respond(to: request, on: channel, by: responder)
                    try await writer.write(response: response.head, body: response.body)
                }, configuration: configuration), tls: tls, connections: ConnectionCounts())
        // The library's Application around its Server would wake this process each second, and for each port, to keep a date.
        let server = Server(
            childChannelSetup: channel,
            configuration: .init(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(Limits.connections, logger: quietLogger)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quietLogger)
        try await server.run()
    }

    private static func respond<Responder: HTTPResponder>(
        to request: Request, on channel: any Channel, by responder: Responder
    ) async throws -> Response where Responder.Context == PeerRequestContext {
        let context = PeerRequestContext(source: .init(channel: channel, logger: quietLogger))
        var response: Response
        do {
            response = try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            // A body that is no HTTP: the channel answers, and closes.
            throw error
        } catch {
            response = Response(status: .internalServerError)
        }
        response.headers[.date] = UTCDate(unixNanoseconds: SystemClock.unixNanoseconds()).http
        response.headers[.server] = "ingress"
        return response
    }

    private static var configuration: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: Limits.headerField, maxHeaderListSize: Limits.headers,
                maxHeaderFieldCount: Limits.headerFields))
    }

    /// The library's own lines ("server started") say nothing that ours do not.
    private static var quietLogger: Logger {
        var logger = Logger(label: "http")
        logger.logLevel = .critical
        return logger
    }
}

/// A request's context: who asks.
struct PeerRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The other end of the connection.
    let peer: TransportAddress.IP?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peer = source.channel.peerIP
    }
}

extension Channel {
    var peerIP: TransportAddress.IP? { remoteAddress?.ipAddress.flatMap { TransportAddress.IP($0) } }
}

/// Connections by client, so that one cannot take them all.
final class ConnectionCounts: Sendable {
    /// Whole offices and proxies stand behind one address.
    private static let maximumPerClient = 256

    private let counts = Mutex<[ClientGroup: Int]>([:])

    /// False when there are enough already. Counts until `channel` is closed.
    func admit(_ channel: any Channel) -> Bool {
        guard let client = ClientGroup(channel.peerIP) else { return true }
        let isAdmitted = counts.withLock { counts in
            guard counts[client, default: 0] < Self.maximumPerClient else { return false }
            counts[client, default: 0] += 1
            return true
        }
        if isAdmitted { channel.closeFuture.whenComplete { _ in self.release(client) } }
        return isAdmitted
    }

    private func release(_ client: ClientGroup) {
        counts.withLock { counts in
            let count = counts[client, default: 1] - 1
            counts[client] = count == 0 ? nil : count
        }
    }
}

/// A server's connection behind TLS, deadlines and the bound on connections.
struct GuardedChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let base: HTTP1Channel
    let tls: ReloadableTLS?
    let connections: ConnectionCounts

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let isAdmitted = connections.admit(channel)
        return channel.eventLoop.makeCompletedFuture {
            guard let tls else { return }
            let handler = TLSChannelHandler(try StreamTLS(server: tls.current))
            try channel.pipeline.syncOperations.addHandler(handler)
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }.flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(RequestDeadlineHandler(), position: .after(decoder))
            if !isAdmitted { channel.close(promise: nil) }
            return value
        }
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
