import Bytes
import DTLS
import LiveKit
import Runtime
import Testing

/// What handlers report, awaited by a test in order; one caller at a time.
final class SocketReports<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func send(_ value: Value) { continuation.yield(value) }

    func next() async -> Value {
        for await value in stream { return value }
        preconditionFailure("reports end with the test only")
    }
}

/// A socket's handler that reports everything; `onMessage` may act on the socket.
@MediaLoop
final class SocketProbe: SignalSocketHandler {
    enum Event: Equatable, Sendable {
        case opened
        case message([UInt8])
        case closed(SignalSocketClosed)
    }

    nonisolated let events = SocketReports<Event>()
    private(set) var socket: SignalSocket?
    var onMessage: (@MediaLoop (SignalSocket) -> Void)?

    nonisolated init() {}

    /// A probe with a socket that connects.
    static func open(
        _ url: String, headers: [(String, String)] = [], timeout: Interval = .seconds(20), tls: TLSClientContext? = nil
    ) async -> SocketProbe {
        let probe = SocketProbe()
        await MediaLoop.run { probe.start(url, headers, timeout, tls) }
        return probe
    }

    private func start(_ url: String, _ headers: [(String, String)], _ timeout: Interval, _ tls: TLSClientContext?) {
        socket = SignalSocket(url: url, headers: headers, timeout: timeout, tls: tls, handler: self)
        socket?.open()
    }

    func letGo() { socket = nil }

    func signalSocketOpened(_ socket: SignalSocket, at now: Monotonic) { events.send(.opened) }
    func signalSocket(_ socket: SignalSocket, received message: [UInt8], at now: Monotonic) {
        events.send(.message(message))
        onMessage?(socket)
    }
    func signalSocketClosed(_ socket: SignalSocket, reason: SignalSocketClosed, at now: Monotonic) {
        events.send(.closed(reason))
    }
}

/// A server that upgraded, and the socket that is open to it.
struct OpenSocket {
    let server: SignalTestServer
    let probe: SocketProbe

    init(_ answer: SignalTestServer.Answer = .upgrade()) async throws {
        server = try await SignalTestServer(answer)
        probe = await SocketProbe.open("ws://\(server.authority)/rtc")
        guard case .request = await server.events.next() else { throw Failure() }
        guard await probe.events.next() == .opened else { throw Failure() }
    }

    struct Failure: Error {}

    func send(_ message: [UInt8]) async { await MediaLoop.run { [probe] in probe.socket?.send(message) } }
    func close() async { await MediaLoop.run { [probe] in probe.socket?.close() } }
}
