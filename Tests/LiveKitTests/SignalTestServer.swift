import Bytes
import DTLS
import LiveKit
import NIOCore
import NIOPosix
import Synchronization

/// A websocket server of the tests' own: it answers the handshake by hand and reads and writes frames byte by byte, so that
/// it can do what no good server does.
final class SignalTestServer: Sendable {
    enum Answer: Sendable {
        /// With bytes behind it, in the same piece.
        case upgrade(andThen: [UInt8] = [])
        /// A whole HTTP answer, or anything else.
        case verbatim(String)
        case silence
        case goodbye
    }

    enum Event: Equatable, Sendable {
        case request(String)
        case frame(SignalTestFrame)
        case ended
    }

    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    let events = SocketReports<Event>()
    private let listener: any Channel

    init(_ answer: Answer = .upgrade(), tls: TLSServerContext? = nil) async throws {
        let events = events
        let current = Current()
        listener = try await ServerBootstrap(group: Self.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(TLSChannelHandler(StreamTLS(server: tls)))
                    }
                    try channel.pipeline.syncOperations.addHandler(SignalTestServerHandler(answer, events))
                    current.channel.withLock { $0 = channel }
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        self.current = current
    }

    /// The connection that came last.
    private final class Current: Sendable {
        let channel = Mutex<(any Channel)?>(nil)
    }
    private let current: Current

    deinit { listener.close(promise: nil) }

    /// Closes the listener; nobody listens at its port any more.
    func release() async throws -> Int {
        let port = port
        try await listener.close()
        return port
    }

    var port: Int { listener.localAddress?.port ?? 0 }
    var authority: String { "127.0.0.1:\(port)" }

    func send(_ bytes: [UInt8]) { channel?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
    func send(_ frame: SignalTestFrame) { send(frame.bytes) }
    func endConnection() { channel?.close(promise: nil) }

    private var channel: (any Channel)? { current.channel.withLock { $0 } }
}

/// One frame (RFC 6455 section 5.2), as it is on the wire but unmasked.
struct SignalTestFrame: Equatable, Sendable {
    enum Kind {
        static let continuation: UInt8 = 0, text: UInt8 = 1, binary: UInt8 = 2, close: UInt8 = 8, ping: UInt8 = 9,
            pong: UInt8 = 10
    }

    var kind: UInt8
    var payload: [UInt8] = []
    var isFinal = true
    /// The three bits below the first.
    var reserved: UInt8 = 0
    var isMasked = false

    var bytes: [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reserved << 4 | kind]
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ...125: bytes.append(mask | UInt8(payload.count))
        case ...0xFFFF: bytes += [mask | 126] + [UInt8](bigEndian: UInt64(payload.count)).suffix(2)
        default: bytes += [mask | 127] + [UInt8](bigEndian: UInt64(payload.count))
        }
        // The mask of zeros changes nothing.
        return bytes + (isMasked ? [0, 0, 0, 0] : []) + payload
    }

    static func close(_ code: UInt16) -> SignalTestFrame {
        SignalTestFrame(kind: Kind.close, payload: [UInt8(code >> 8), UInt8(code & 0xFF)])
    }
    static func binary(_ payload: [UInt8]) -> SignalTestFrame { SignalTestFrame(kind: Kind.binary, payload: payload) }

    /// The first frame of `bytes`, taken out; nil when it is not whole.
    static func take(from bytes: inout [UInt8]) -> SignalTestFrame? {
        guard bytes.count >= 2 else { return nil }
        let isMasked = bytes[1] & 0x80 != 0
        var position = 2
        var length = Int(bytes[1] & 0x7F)
        if length >= 126 {
            let size = length == 126 ? 2 : 8
            guard bytes.count >= position + size else { return nil }
            length = bytes[position..<position + size].reduce(0) { $0 << 8 | Int($1) }
            position += size
        }
        var key: [UInt8] = [0, 0, 0, 0]
        if isMasked {
            guard bytes.count >= position + 4 else { return nil }
            key = Array(bytes[position..<position + 4])
            position += 4
        }
        guard bytes.count >= position + length else { return nil }
        let payload = bytes[position..<position + length].enumerated().map { $1 ^ key[$0 & 3] }
        let frame = SignalTestFrame(
            kind: bytes[0] & 0x0F, payload: payload, isFinal: bytes[0] & 0x80 != 0, reserved: bytes[0] >> 4 & 7,
            isMasked: isMasked)
        bytes.removeFirst(position + length)
        return frame
    }
}

extension [UInt8] {
    fileprivate init(bigEndian value: UInt64) { self = (0..<8).map { UInt8(value >> (56 - 8 * UInt64($0)) & 0xFF) } }
}

private final class SignalTestServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: SignalTestServer.Answer
    private let events: SocketReports<SignalTestServer.Event>
    private var received: [UInt8] = []
    private var isUpgraded = false

    init(_ answer: SignalTestServer.Answer, _ events: SocketReports<SignalTestServer.Event>) {
        self.answer = answer
        self.events = events
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += Self.unwrapInboundIn(data).readableBytesView
        if !isUpgraded { answerRequest(context) }
        while isUpgraded, let frame = SignalTestFrame.take(from: &received) { events.send(.frame(frame)) }
    }

    func channelInactive(context: ChannelHandlerContext) { events.send(.ended) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answerRequest(_ context: ChannelHandlerContext) {
        let text = String(decoding: received, as: UTF8.self)
        guard text.hasSuffix("\r\n\r\n") else { return }
        received = []
        switch answer {
        case .upgrade(let more):
            isUpgraded = true
            let key = text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }?
                .dropFirst(19)
            let accept = String(
                base64: Digest.sha1(Array((String(key ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
            let head =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
            write(Array(head.utf8) + more, context)
        case .verbatim(let text): write(Array(text.utf8), context)
        case .silence: break
        case .goodbye: context.close(promise: nil)
        }
        events.send(.request(text))
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
    }
}

/// A server that greets like SSH whatever comes.
final class PlainTextServer: Sendable {
    private let listener: any Channel

    init() async throws {
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Greeter())
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
    }

    deinit { listener.close(promise: nil) }

    var port: Int { listener.localAddress?.port ?? 0 }

    private final class Greeter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(NIOAny(ByteBuffer(string: "SSH-2.0-server\r\n")), promise: nil)
        }
    }
}
