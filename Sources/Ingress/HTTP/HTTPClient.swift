package import Bytes
package import DTLS
import LiveKit
import NIOCore
import NIOPosix
package import WHIP

/// Why a request got no response: a sentence for a person, without secrets.
package struct HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Sends single HTTP/1.1 requests to `http` and `https` URLs, each over a connection of its own. Follows no redirections.
package struct HTTPClient: Sendable {
    private static let systemTrust = Result { () throws(DTLSError) in try TLSClientContext() }

    private let tls: TLSClientContext?
    private let timeout: Interval

    /// - Parameters:
    ///   - tls: whom to trust; the system's authorities unless given.
    ///   - timeout: from the name's resolution to the last byte of the response.
    package init(tls: TLSClientContext? = nil, timeout: Interval) {
        self.tls = tls
        self.timeout = timeout
    }

    /// The request's target is the URL's; `Host`, `Connection` and `Content-Length` are added.
    package func send(
        _ request: ResourceRequest, to url: HTTPURL
    ) async throws(HTTPClientError) -> ResourceResponse {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: ResourceResponse.self)
        loop.execute {
            HTTPExchange(request, to: url, on: loop, answering: promise).begin(trusting: tls, within: timeout)
        }
        do {
            return try await promise.futureResult.get()
        } catch let error as HTTPClientError {
            throw error
        } catch {
            throw HTTPClientError(Self.sentence(for: error, host: url.host))
        }
    }

    private static func sentence(for error: any Error, host: String) -> String {
        if let failure = error as? HTTPAnswerReader.Failure {
            return switch failure {
            case .notHTTP: "\(host): the answer is not HTTP"
            case .tooLarge: "\(host): the answer is too large"
            case .cutShort: "\(host): the connection ended before the answer did"
            }
        }
        return switch SignalSocketClosed(error: error, host: host) {
        case .unreachable(let text): text
        case .tls(let text): "\(host): \(text)"
        case .timedOut: timedOut(host)
        default: "\(host): the connection broke"
        }
    }

    fileprivate static func timedOut(_ host: String) -> String { "\(host): no answer within the time given" }

    fileprivate static func trust(_ tls: TLSClientContext?) throws -> TLSClientContext { try tls ?? systemTrust.get() }
}

/// One request's life on its event loop.
private final class HTTPExchange: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ResourceRequest
    private let url: HTTPURL
    private let loop: any EventLoop
    private var promise: EventLoopPromise<ResourceResponse>?
    private var reader: HTTPAnswerReader
    private var channel: (any Channel)?
    private var deadline: Scheduled<Void>?

    init(
        _ request: ResourceRequest, to url: HTTPURL, on loop: any EventLoop,
        answering promise: EventLoopPromise<ResourceResponse>
    ) {
        self.request = request
        self.url = url
        self.loop = loop
        self.promise = promise
        reader = HTTPAnswerReader(method: request.method)
    }

    func begin(trusting tls: TLSClientContext?, within timeout: Interval) {
        let timeout = TimeAmount.nanoseconds(max(1, timeout.nanoseconds))
        deadline = loop.assumeIsolated().scheduleTask(in: timeout) {
            self.end(.failure(HTTPClientError(HTTPClient.timedOut(self.url.host))))
        }
        ClientBootstrap(group: loop).connectTimeout(timeout).connect(host: url.host, port: Int(url.port))
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let channel): self.connected(channel, trusting: tls)
                case .failure(let error): self.end(.failure(error))
                }
            }
    }

    private func connected(_ channel: any Channel, trusting tls: TLSClientContext?) {
        guard promise != nil else { return channel.close(promise: nil) }
        self.channel = channel
        do {
            let pipeline = channel.pipeline.syncOperations
            if url.isSecure {
                try pipeline.addHandler(
                    TLSChannelHandler(StreamTLS(client: HTTPClient.trust(tls), host: url.host)))
            }
            try pipeline.addHandler(self)
            channel.writeAndFlush(ByteBuffer(bytes: request.serialized(to: url)), promise: nil)
        } catch {
            end(.failure(error))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(HTTPAnswerReader.Failure) {
            try reader.receive(Array(Self.unwrapInboundIn(data).readableBytesView))
        } catch {
            return end(.failure(error))
        }
        if let answer = reader.answer { end(.success(answer)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        do throws(HTTPAnswerReader.Failure) {
            try reader.finish()
        } catch {
            return end(.failure(error))
        }
        if let answer = reader.answer { end(.success(answer)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.failure(error)) }

    private func end(_ result: Result<ResourceResponse, any Error>) {
        guard let promise else { return }
        self.promise = nil
        deadline?.cancel()
        promise.completeWith(result)
        channel?.close(promise: nil)
        channel = nil
    }
}
