import Bytes
import Redis
import Runtime

/// A server that answers as a test says. Everything runs on the loop.
@MediaLoop
final class ScriptedServer: TCPListenerHandler {
    /// The words of a command to the bytes of its answer; nil says nothing.
    typealias Script = @MediaLoop ([String]) -> String?

    private let script: Script
    private var listener: TCPListener?
    private var connections: [Connection] = []
    let commands = Reports<[String]>()

    init(_ script: @escaping Script) throws {
        self.script = script
        listener = try TCPListener(on: TransportAddress(ip: .v4(0x7F00_0001), port: 0), handler: self)
    }

    /// Answers PING by itself, and the rest as the script says.
    static func start(_ script: @escaping Script) throws -> ScriptedServer { try ScriptedServer(script) }

    var address: RedisAddress { RedisAddress(host: "127.0.0.1", port: listener?.address.port ?? 0) }

    func close() {
        listener?.close()
        dropConnections()
    }

    func dropConnections() {
        for connection in connections { connection.stream.close() }
        connections = []
    }

    func listener(_ listener: TCPListener, accepted stream: TCPStream, at now: Monotonic) {
        let connection = Connection(stream, self)
        connections.append(connection)
        try? stream.start(handler: connection)
    }

    func listener(_ listener: TCPListener, exhausted errno: Errno, restingFor pause: Interval, at now: Monotonic) {}

    fileprivate func answer(_ words: [String], _ stream: TCPStream) {
        if words == ["PING"] {
            stream.write(text("+PONG\r\n").rawSpan)
            return
        }
        if let answer = script(words) { stream.write(text(answer).rawSpan) }
        commands.send(words)
    }

    private final class Connection: TCPStreamHandler {
        let stream: TCPStream
        private let server: ScriptedServer
        private let reader = RedisReplyReader()

        init(_ stream: TCPStream, _ server: ScriptedServer) {
            self.stream = stream
            self.server = server
        }

        func stream(_ stream: TCPStream, received bytes: RawSpan, at now: Monotonic) {
            try? reader.receive(bytes)
            while stream.isOpen, case .array(let words)? = try? reader.nextReply() {
                server.answer(words.compactMap(\.text), stream)
            }
        }

        func streamEnded(_ stream: TCPStream, at now: Monotonic) { stream.close() }
        func stream(_ stream: TCPStream, failed error: RuntimeError, at now: Monotonic) {}
    }
}

extension ScriptedServer {
    /// The confirmation of a subscription to one channel.
    static func confirmation(_ channel: String) -> String {
        "*3\r\n$9\r\nsubscribe\r\n$\(channel.utf8.count)\r\n\(channel)\r\n:1\r\n"
    }
}
