import Bytes
import DTLS
import LiveKit
import Runtime
import Testing

/// From `open()` to an open websocket, or not.
@Suite(.timeLimit(.minutes(1))) struct SignalSocketTests {
    @Test("the request has the path, the query and the headers given, and those of a websocket")
    func request() async throws {
        let server = try await SignalTestServer()
        let probe = await SocketProbe.open(
            "http://\(server.authority)/prefix/rtc?a=1&b=%20x#fragment", headers: [("Authorization", "Bearer t.o.k")])
        guard case .request(let text) = await server.events.next() else { throw OpenSocket.Failure() }
        #expect(await probe.events.next() == .opened)
        let lines = text.split(separator: "\r\n").map(String.init)
        #expect(lines.first == "GET /prefix/rtc?a=1&b=%20x HTTP/1.1")
        let headers = Set(lines.dropFirst().filter { !$0.hasPrefix("Sec-WebSocket-Key: ") })
        #expect(
            headers == [
                "Authorization: Bearer t.o.k", "Host: \(server.authority)", "Connection: upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
            ])
        let key = lines.first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19)
        #expect([UInt8](base64: key ?? "")?.count == 16)
    }

    @Test("a query without a path, and nothing at all", arguments: [("?x=1", "/?x=1"), ("", "/"), ("/", "/")])
    func targets(tail: String, target: String) async throws {
        let server = try await SignalTestServer()
        let probe = await SocketProbe.open("WS://\(server.authority)\(tail)")
        guard case .request(let text) = await server.events.next() else { throw OpenSocket.Failure() }
        #expect(text.hasPrefix("GET \(target) HTTP/1.1\r\n"))
        #expect(await probe.events.next() == .opened)
    }

    @Test("a host name is looked up")
    func hostName() async throws {
        let server = try await SignalTestServer()
        let probe = await SocketProbe.open("ws://localhost:\(server.port)/rtc")
        #expect(await probe.events.next() == .opened)
    }

    @Test(
        "what is no address of a websocket is told, and nothing is tried",
        arguments: [
            "", "ws", "ws:", "ws://", "ws:///rtc", "ftp://h/", "ws://h:0/", "ws://h:65536/", "ws://h:x/", "ws://[::1/",
            "ws://[::1]x/", "ws://[h]/", "ws://::1/", "ws://u@h/", "ws://u:p@h/", "ws://h/a b", "ws://h/ü", "ws://h/\n",
        ])
    func badAddress(url: String) async {
        let probe = await SocketProbe.open(url)
        #expect(
            await probe.events.next() == .closed(.unreachable("the address is not a ws, wss, http or https URL")))
    }

    @Test("an IPv6 address stands in brackets")
    func literal() async throws {
        // No server is there; that the attempt was made is what shows.
        let server = try await SignalTestServer()
        let probe = await SocketProbe.open("ws://[::1]:\(server.port)/")
        guard case .closed(.unreachable(let text)) = await probe.events.next() else { throw OpenSocket.Failure() }
        #expect(text.hasPrefix("::1: "))
    }

    @Test("nobody listens: the reason says so")
    func refusedConnection() async throws {
        let port = try await {
            let server = try await SignalTestServer()
            return try await server.release()
        }()
        let probe = await SocketProbe.open("ws://127.0.0.1:\(port)/")
        #expect(await probe.events.next() == .closed(.unreachable("127.0.0.1: Connection refused")))
    }

    @Test("an HTTP answer instead of a websocket is a refusal with its status and text")
    func refusal() async throws {
        let server = try await SignalTestServer(
            .verbatim("HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\ninvalid\ttoken \n"))
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        #expect(await probe.events.next() == .closed(.refused(status: 401, body: "invalid token")))
    }

    @Test("of a long or strange text of a refusal a printable beginning is kept")
    func longRefusal() async throws {
        let body = String(repeating: "\u{1b}ü", count: 1_000)
        let server = try await SignalTestServer(
            .verbatim("HTTP/1.1 503 No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        guard case .closed(.refused(503, let text)) = await probe.events.next() else { throw OpenSocket.Failure() }
        #expect(text.utf8.count <= 512 && text.hasPrefix(" ?? ?? "))
    }

    @Test("a refusal whose text never ends counts when the time is over")
    func endlessRefusal() async throws {
        let server = try await SignalTestServer(
            .verbatim("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nno room"))
        let probe = await SocketProbe.open("ws://\(server.authority)/", timeout: .seconds(2))
        #expect(await probe.events.next() == .closed(.refused(status: 404, body: "no room")))
    }

    @Test("a redirection is a refusal")
    func redirection() async throws {
        let server = try await SignalTestServer(
            .verbatim("HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"))
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        #expect(await probe.events.next() == .closed(.refused(status: 301, body: "")))
    }

    @Test(
        "an answer that is no websocket handshake is a violation",
        arguments: [
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\n\r\n",
            "SSH-2.0-server\r\n",
        ])
    func wrongAnswer(answer: String) async throws {
        let server = try await SignalTestServer(.verbatim(answer))
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        guard case .closed(.protocolViolation) = await probe.events.next() else { throw OpenSocket.Failure() }
    }

    @Test("a server that hangs up before it answers was not reached")
    func goodbye() async throws {
        let server = try await SignalTestServer(.goodbye)
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        #expect(
            await probe.events.next()
                == .closed(.unreachable("the server closed the connection before it answered")))
    }

    @Test("a server that says nothing is given up in time")
    func silence() async throws {
        let server = try await SignalTestServer(.silence)
        let probe = await SocketProbe.open("ws://\(server.authority)/", timeout: .seconds(2))
        #expect(await probe.events.next() == .closed(.timedOut))
        guard case .request = await server.events.next() else { throw OpenSocket.Failure() }
        #expect(await server.events.next() == .ended)
    }

    @Test("closing while connecting gives up at once")
    func closedWhileConnecting() async throws {
        let server = try await SignalTestServer(.silence)
        let probe = await SocketProbe.open("ws://\(server.authority)/")
        guard case .request = await server.events.next() else { throw OpenSocket.Failure() }
        await MediaLoop.run { probe.socket?.close() }
        #expect(await probe.events.next() == .closed(.closedHere))
        #expect(await server.events.next() == .ended)
    }

    @Test("closing in the turn of opening is heard, and opening again does nothing")
    func closedAtOnce() async {
        let probe = SocketProbe()
        await MediaLoop.run {
            let socket = SignalSocket(url: "ws://127.0.0.1:1/", headers: [], timeout: .seconds(1), handler: probe)
            socket.open()
            socket.close()
            socket.open()
            socket.close()
        }
        #expect(await probe.events.next() == .closed(.closedHere))
    }
}
