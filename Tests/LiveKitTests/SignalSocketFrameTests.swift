import Bytes
import LiveKit
import Runtime
import Testing

/// Messages and frames of an open websocket.
@Suite(.timeLimit(.minutes(1))) struct SignalSocketFrameTests {
    typealias Frame = SignalTestFrame
    typealias Kind = SignalTestFrame.Kind

    static let limit = 2 * 1024 * 1024

    @Test("messages go out whole, masked and binary", arguments: [0, 1, 125, 126, 65_535, 65_536, 300_000])
    func send(count: Int) async throws {
        let open = try await OpenSocket()
        let message = bytes(count)
        await open.send(message)
        guard case .frame(let frame) = await open.server.events.next() else { throw OpenSocket.Failure() }
        #expect(frame.kind == Kind.binary && frame.isFinal && frame.isMasked && frame.reserved == 0)
        let isSame = frame.payload == message
        #expect(isSame)
    }

    @Test("messages come in whole", arguments: [0, 1, 125, 126, 65_535, 65_536, limit])
    func receive(count: Int) async throws {
        let open = try await OpenSocket()
        let message = bytes(count)
        open.server.send(.binary(message))
        guard case .message(let received) = await open.probe.events.next() else { throw OpenSocket.Failure() }
        let isSame = received == message
        #expect(isSame)
    }

    @Test("what is sent before the websocket is open goes out first, in order")
    func early() async throws {
        let server = try await SignalTestServer()
        let probe = SocketProbe()
        let socket = await MediaLoop.run {
            let socket = SignalSocket(
                url: "ws://\(server.authority)/", headers: [], timeout: .seconds(20), handler: probe)
            socket.send([0])
            socket.open()
            socket.send([1])
            return socket
        }
        #expect(await probe.events.next() == .opened)
        await MediaLoop.run { socket.send([2]) }
        _ = await server.events.next()
        for number in 0..<UInt8(3) {
            guard case .frame(let frame) = await server.events.next() else { throw OpenSocket.Failure() }
            #expect(frame.payload == [number])
        }
    }

    @Test("a first message in one piece with the answer is not lost")
    func together() async throws {
        let open = try await OpenSocket(.upgrade(andThen: Frame.binary([7, 8]).bytes + Frame.binary([9]).bytes))
        #expect(await open.probe.events.next() == .message([7, 8]))
        #expect(await open.probe.events.next() == .message([9]))
    }

    @Test("many messages keep their order")
    func order() async throws {
        let open = try await OpenSocket()
        open.server.send((0..<200).flatMap { Frame.binary([UInt8($0)]).bytes })
        for number in 0..<UInt8(200) { #expect(await open.probe.events.next() == .message([number])) }
    }

    @Test("frames may come byte by byte")
    func pieces() async throws {
        let open = try await OpenSocket()
        let stream = Frame.binary(bytes(200)).bytes + Frame.binary([1]).bytes
        for byte in stream { open.server.send([byte]) }
        #expect(await open.probe.events.next() == .message(bytes(200)))
        #expect(await open.probe.events.next() == .message([1]))
    }

    @Test("fragments are joined, and a ping between them is answered at once")
    func fragments() async throws {
        let open = try await OpenSocket()
        open.server.send(Frame(kind: Kind.binary, payload: [1, 2], isFinal: false))
        open.server.send(Frame(kind: Kind.ping, payload: Array("still there?".utf8)))
        open.server.send(Frame(kind: Kind.continuation, payload: [], isFinal: false))
        #expect(
            await open.server.events.next()
                == .frame(Frame(kind: Kind.pong, payload: Array("still there?".utf8), isMasked: true)))
        open.server.send(Frame(kind: Kind.continuation, payload: [3]))
        #expect(await open.probe.events.next() == .message([1, 2, 3]))
    }

    @Test("pongs that nobody asked for do nothing")
    func pong() async throws {
        let open = try await OpenSocket()
        open.server.send(Frame(kind: Kind.pong, payload: [1]))
        open.server.send(.binary([2]))
        #expect(await open.probe.events.next() == .message([2]))
    }

    @Test("the limit of a message holds for one frame")
    func oversize() async throws {
        let open = try await OpenSocket()
        // The head alone is enough.
        open.server.send(Array(Frame.binary(bytes(Self.limit + 1)).bytes.prefix(10)))
        guard case .closed(.protocolViolation(let text)) = await open.probe.events.next() else {
            throw OpenSocket.Failure()
        }
        #expect(text.contains("larger"))
        #expect(await open.server.events.next() == .frame(closing(1009)))
        #expect(await open.server.events.next() == .ended)
    }

    @Test("a length that no memory could hold is refused")
    func absurdLength() async throws {
        let open = try await OpenSocket()
        open.server.send([0x82, 127] + [UInt8](repeating: 0xFF, count: 8))
        guard case .closed(.protocolViolation) = await open.probe.events.next() else { throw OpenSocket.Failure() }
    }

    @Test("the limit of a message holds for the sum of its fragments")
    func oversizeFragments() async throws {
        let open = try await OpenSocket()
        let half = bytes(Self.limit / 2)
        open.server.send(Frame(kind: Kind.binary, payload: half, isFinal: false))
        open.server.send(Frame(kind: Kind.continuation, payload: half, isFinal: false))
        open.server.send(Frame(kind: Kind.continuation, payload: [1]))
        guard case .closed(.protocolViolation(let text)) = await open.probe.events.next() else {
            throw OpenSocket.Failure()
        }
        #expect(text.contains("larger"))
        #expect(await open.server.events.next() == .frame(closing(1009)))
    }

    static let forbidden: [(frames: [Frame], code: UInt16)] = [
        ([Frame(kind: Kind.binary, payload: [1], isMasked: true)], 1002),
        ([Frame(kind: Kind.binary, payload: [1], reserved: 4)], 1002),
        ([Frame(kind: Kind.binary, payload: [1], reserved: 1)], 1002),
        ([Frame(kind: Kind.text, payload: [0x7B])], 1003),
        ([Frame(kind: Kind.continuation, payload: [1])], 1002),
        ([Frame(kind: Kind.binary, isFinal: false), Frame(kind: Kind.binary)], 1002),
        ([Frame(kind: 3)], 1002),
        ([Frame(kind: 11)], 1002),
        ([Frame(kind: Kind.ping, isFinal: false)], 1002),
        ([Frame(kind: Kind.ping, payload: [UInt8](repeating: 0, count: 126))], 1002),
        ([Frame(kind: Kind.close, payload: [3])], 1002),
    ]

    @Test("what RFC 6455 forbids closes the websocket", arguments: forbidden.indices)
    func violations(_ index: Int) async throws {
        let (frames, code) = Self.forbidden[index]
        let open = try await OpenSocket()
        open.server.send(frames.flatMap(\.bytes) + Frame.binary([9]).bytes)
        guard case .closed(.protocolViolation) = await open.probe.events.next() else { throw OpenSocket.Failure() }
        #expect(await open.server.events.next() == .frame(closing(code)))
        #expect(await open.server.events.next() == .ended)
    }

    private func closing(_ code: UInt16) -> Frame {
        var frame = Frame.close(code)
        frame.isMasked = true
        return frame
    }

    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
}
