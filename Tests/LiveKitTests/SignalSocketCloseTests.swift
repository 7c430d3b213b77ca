import Bytes
import DTLS
import LiveKit
import Runtime
import Testing

/// How an open websocket ends, and websockets over TLS.
@Suite(.timeLimit(.minutes(1))) struct SignalSocketCloseTests {
    typealias Frame = SignalTestFrame

    @Test("closing sends all that was sent before, then says so")
    func closeHere() async throws {
        let open = try await OpenSocket()
        await MediaLoop.run {
            for number in 0..<UInt8(100) { open.probe.socket?.send([number]) }
            open.probe.socket?.close()
            open.probe.socket?.send([255])
        }
        for number in 0..<UInt8(100) {
            guard case .frame(let frame) = await open.server.events.next() else { throw OpenSocket.Failure() }
            #expect(frame.payload == [number])
        }
        #expect(await open.server.events.next() == .frame(closing([0x03, 0xE8])))
        open.server.send(.close(1000))
        #expect(await open.probe.events.next() == .closed(.closedHere))
        #expect(await open.server.events.next() == .ended)
    }

    @Test("a server that does not answer the closing is left in time")
    func closeAlone() async throws {
        let open = try await OpenSocket()
        await open.close()
        #expect(await open.server.events.next() == .frame(closing([0x03, 0xE8])))
        #expect(await open.probe.events.next() == .closed(.closedHere))
        #expect(await open.server.events.next() == .ended)
    }

    @Test("after closing here, messages that still come are not heard")
    func silenceAfterClose() async throws {
        let open = try await OpenSocket()
        await MediaLoop.run { open.probe.onMessage = { $0.close() } }
        open.server.send(Frame.binary([1]).bytes + Frame.binary([2]).bytes + Frame.close(1000).bytes)
        #expect(await open.probe.events.next() == .message([1]))
        #expect(await open.probe.events.next() == .closed(.closedHere))
    }

    @Test("the server closes: its code is told and given back", arguments: [1000, 1001, 4000 as UInt16])
    func closeThere(code: UInt16) async throws {
        let open = try await OpenSocket()
        open.server.send(.close(code))
        #expect(await open.probe.events.next() == .closed(.closedByPeer(code: code)))
        #expect(await open.server.events.next() == .frame(closing([UInt8(code >> 8), UInt8(code & 0xFF)])))
        #expect(await open.server.events.next() == .ended)
    }

    @Test("the server closes with a text, or without a code")
    func closeTexts() async throws {
        let withText = try await OpenSocket()
        withText.server.send(Frame(kind: Frame.Kind.close, payload: [0x03, 0xE9] + Array("bye".utf8)))
        #expect(await withText.probe.events.next() == .closed(.closedByPeer(code: 1001)))
        let without = try await OpenSocket()
        without.server.send(Frame(kind: Frame.Kind.close))
        #expect(await without.probe.events.next() == .closed(.closedByPeer(code: nil)))
        #expect(await without.server.events.next() == .frame(closing([])))
    }

    @Test("a message before the end arrives before the end, and the connection that breaks has no code")
    func broken() async throws {
        let open = try await OpenSocket()
        open.server.send(.binary([1]))
        open.server.endConnection()
        #expect(await open.probe.events.next() == .message([1]))
        #expect(await open.probe.events.next() == .closed(.closedByPeer(code: nil)))
    }

    @Test("letting go of an open socket closes it")
    func letGo() async throws {
        let open = try await OpenSocket()
        await MediaLoop.run { open.probe.letGo() }
        #expect(await open.server.events.next() == .frame(closing([0x03, 0xE8])))
    }

    @Test("a socket whose handler has gone closes at the next message")
    func handlerGone() async throws {
        let server = try await SignalTestServer()
        var probe: SocketProbe? = SocketProbe()
        let events = probe?.events
        let socket = await MediaLoop.run { [probe] in
            probe.map { handler in
                let socket = SignalSocket(
                    url: "ws://\(server.authority)/", headers: [], timeout: .seconds(20), handler: handler)
                socket.open()
                return socket
            }
        }
        #expect(await events?.next() == .opened)
        probe = nil
        _ = await server.events.next()
        server.send(.binary([1]))
        #expect(await server.events.next() == .frame(closing([0x03, 0xE8])))
        withExtendedLifetime(socket) {}
    }

    // MARK: TLS

    struct Trust {
        let server: TLSServerContext
        let client: TLSClientContext

        /// A server named localhost.
        init() throws {
            let seconds = SystemClock.unixNanoseconds() / 1_000_000_000
            let certificate = try Certificate.selfSigned(commonName: "localhost", unixSeconds: seconds)
            server = try TLSServerContext(certificate: certificate)
            client = try TLSClientContext(trusting: certificate)
        }
    }

    @Test("over TLS, messages of any size go both ways and the end is told", arguments: [1, 300_000])
    func secure(count: Int) async throws {
        let trust = try Trust()
        let server = try await SignalTestServer(tls: trust.server)
        let probe = await SocketProbe.open("wss://localhost:\(server.port)/rtc", tls: trust.client)
        guard case .request(let text) = await server.events.next() else { throw OpenSocket.Failure() }
        #expect(text.contains("Host: localhost:\(server.port)\r\n"))
        #expect(await probe.events.next() == .opened)
        let message = [UInt8](repeating: 0x5A, count: count)
        await MediaLoop.run { probe.socket?.send(message) }
        guard case .frame(let frame) = await server.events.next() else { throw OpenSocket.Failure() }
        let wentOut = frame.payload == message
        #expect(wentOut)
        server.send(.binary(message))
        guard case .message(let received) = await probe.events.next() else { throw OpenSocket.Failure() }
        let cameIn = received == message
        #expect(cameIn)
        server.endConnection()
        #expect(await probe.events.next() == .closed(.closedByPeer(code: nil)))
    }

    @Test("over TLS, closing here sends the rest first")
    func secureClose() async throws {
        let trust = try Trust()
        let server = try await SignalTestServer(tls: trust.server)
        let probe = await SocketProbe.open("https://localhost:\(server.port)/", tls: trust.client)
        #expect(await probe.events.next() == .opened)
        await MediaLoop.run {
            probe.socket?.send([1])
            probe.socket?.close()
        }
        _ = await server.events.next()
        guard case .frame(let frame) = await server.events.next() else { throw OpenSocket.Failure() }
        #expect(frame.payload == [1])
        #expect(await server.events.next() == .frame(closing([0x03, 0xE8])))
        server.send(.close(1000))
        #expect(await probe.events.next() == .closed(.closedHere))
    }

    @Test("a server that is not trusted gets no request", arguments: [true, false])
    func untrusted(isOtherName: Bool) async throws {
        let trust = try Trust()
        let server = try await SignalTestServer(tls: trust.server)
        let probe = await SocketProbe.open(
            "wss://\(isOtherName ? "127.0.0.1" : "localhost"):\(server.port)/", tls: isOtherName ? trust.client : nil)
        guard case .closed(.tls(let text)) = await probe.events.next() else { throw OpenSocket.Failure() }
        #expect(text.contains(isOtherName ? "mismatch" : "self-signed"))
        #expect(await server.events.next() == .ended)
    }

    @Test("a server that speaks no TLS is told from one that is not there")
    func plainServer() async throws {
        let listener = try await PlainTextServer()
        let probe = await SocketProbe.open("wss://127.0.0.1:\(listener.port)/")
        guard case .closed(.tls) = await probe.events.next() else { throw OpenSocket.Failure() }
    }

    private func closing(_ payload: [UInt8]) -> Frame {
        Frame(kind: Frame.Kind.close, payload: payload, isMasked: true)
    }
}
