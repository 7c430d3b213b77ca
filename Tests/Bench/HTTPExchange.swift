import Bytes
import Runtime

/// One HTTP/1.1 request over a connection of its own; the response must have a Content-Length.
@MediaLoop
final class HTTPExchange {
    struct Response: Sendable {
        let status: Int
        let body: [UInt8]
        /// This end of the connection, which is an address that the server can reach.
        let localIP: TransportAddress.IP

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private static let patience = Interval.seconds(15)
    private static let limit = 4 * 1024 * 1024

    private let request: [UInt8]
    private var stream: TCPStream?
    private var received: [UInt8] = []
    private var continuation: CheckedContinuation<Response, any Error>?
    private let timer = LoopTimer()

    private init(_ request: [UInt8], _ continuation: CheckedContinuation<Response, any Error>) {
        self.request = request
        self.continuation = continuation
    }

    static func perform(
        _ method: String, _ url: ServerURL, path: String? = nil, contentType: String = "application/sdp",
        body: String = ""
    ) async throws -> Response {
        var head = "\(method) \(path ?? url.path) HTTP/1.1\r\nHost: \(url.authority)\r\nConnection: close\r\n"
        if !body.isEmpty { head += "Content-Type: \(contentType)\r\n" }
        head += "Content-Length: \(body.utf8.count)\r\n\r\n"
        let request = Array((head + body).utf8)
        return try await withCheckedThrowingContinuation { continuation in
            let exchange = HTTPExchange(request, continuation)
            exchange.timer.schedule(at: .now + patience, calling: exchange)
            do throws(RuntimeError) {
                exchange.stream = try TCPStream.connect(to: url.address, handler: exchange)
            } catch {
                exchange.finish(.failure(error))
            }
        }
    }

    private func finish(_ result: Result<Response, any Error>) {
        timer.cancel()
        stream?.close()
        stream = nil
        continuation.take()?.resume(with: result)
    }

    /// Ends the exchange once the whole response is there.
    private func parse() {
        let blank = Array("\r\n\r\n".utf8)
        guard received.count >= blank.count,
            let end = (0...received.count - blank.count).first(where: { received[$0...].starts(with: blank) })
        else { return }
        let lines = String(decoding: received[..<end], as: UTF8.self).split(whereSeparator: \.isNewline)
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, let status = Int(words[1]) else {
            return finish(.failure(BenchError("no HTTP response")))
        }
        let length = lines.lazy.map { $0.lowercased() }.first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) }
        guard let length else { return finish(.failure(BenchError("an HTTP response without a length"))) }
        let body = received[(end + blank.count)...]
        guard body.count >= length, let ip = stream?.localAddress?.ip.unmapped else { return }
        finish(.success(Response(status: status, body: Array(body.prefix(length)), localIP: ip)))
    }
}

extension HTTPExchange: TCPStreamHandler, TimerHandler {
    func streamConnected(_ stream: TCPStream, at now: Monotonic) {
        let request = request
        stream.write(request.rawSpan)
    }

    func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
        guard received.count + bytes.byteCount <= Self.limit else {
            return finish(.failure(BenchError("an HTTP response that is too long")))
        }
        received += bytes.copied()
        parse()
    }

    func streamEnded(_ stream: TCPStream, at now: Monotonic) {
        finish(.failure(BenchError("the server closed the connection before its answer was whole")))
    }

    func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) { finish(.failure(error)) }

    func timerFired(_ timer: LoopTimer, at now: Monotonic) { finish(.failure(BenchError("no HTTP response in time"))) }
}
