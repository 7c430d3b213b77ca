import Bytes
import DTLS
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// One connection's life on the event loop. Everything here runs on that loop's thread.
final class SignalLink {
    private enum Phase { case idle, connecting, open, closing, over }

    /// What became of the request to upgrade.
    private enum Answer: Sendable { case upgraded, refused }

    /// The system's authorities take some 10 ms to read.
    private static let systemTrust = Result { () throws(DTLSError) in try TLSClientContext() }

    private let target: SignalTarget
    private let loop: any EventLoop
    private let wire: SignalWire
    private var phase = Phase.idle
    private var channel: (any Channel)?
    private var deadline: Scheduled<Void>?
    /// Sent before the websocket was open.
    private var queue: [[UInt8]] = []
    /// Known as soon as the head of a refusing answer is.
    private var refusal: (status: Int, body: String)?

    init(_ target: SignalTarget, on loop: any EventLoop, reportingTo wire: SignalWire) {
        self.target = target
        self.loop = loop
        self.wire = wire
    }

    // MARK: Calls of the media loop

    func open() {
        guard phase == .idle else { return }
        guard let address = target.address else {
            return end(.unreachable("the address is not a ws, wss, http or https URL"))
        }
        phase = .connecting
        let timeout = TimeAmount.nanoseconds(max(1, target.timeout.nanoseconds))
        deadline = loop.assumeIsolated().scheduleTask(in: timeout) { self.end(.timedOut) }
        ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.writeBufferWaterMark, value: .init(low: 1, high: SignalSocketLimits.unsentBytes))
            .connect(host: address.host, port: Int(address.port))
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.connected(channel, to: address)
                case .failure(let error): self.fail(error)
                }
            }
    }

    func send(_ message: [UInt8]) {
        switch phase {
        case .idle, .connecting: queue.append(message)
        case .open: write(.binary, ByteBuffer(bytes: message))
        case .closing, .over: break
        }
    }

    func close() {
        switch phase {
        case .idle, .connecting: end(.closedHere)
        case .open:
            phase = .closing
            writeClose(SignalSocketLimits.CloseCode.normal)
            deadline = loop.assumeIsolated().scheduleTask(in: .milliseconds(SignalSocketLimits.closeMilliseconds)) {
                self.end(.closedHere)
            }
        case .closing, .over: break
        }
    }

    // MARK: Connecting

    /// Nothing is read before this returns: the server speaks second, and reading begins in a later turn.
    private func connected(_ channel: any Channel, to address: SignalAddress) {
        guard phase == .connecting else { return channel.close(promise: nil) }
        self.channel = channel
        channel.closeFuture.assumeIsolated().whenComplete { _ in self.fail(ChannelError.eof) }
        do {
            if address.isSecure {
                let context = try target.tls ?? Self.systemTrust.get()
                try channel.pipeline.syncOperations.addHandler(
                    TLSChannelHandler(StreamTLS(client: context, host: address.host)))
            }
            try upgrade(channel, at: address)
        } catch {
            fail(error)
        }
    }

    private func upgrade(_ channel: any Channel, at address: SignalAddress) throws {
        var headers = HTTPHeaders(target.headers)
        headers.replaceOrAdd(name: "Host", value: address.hostHeader)
        let box = NIOLoopBoundBox(self, eventLoop: loop)
        let upgrader = NIOTypedWebSocketClientUpgrader<Answer>(
            maxFrameSize: SignalSocketLimits.messageBytes, enableAutomaticErrorHandling: false
        ) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(SignalFrameHandler(box.value))
                return .upgraded
            }
        }
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: .init(
                upgradeRequestHead: HTTPRequestHead(
                    version: .http1_1, method: .GET, uri: address.target, headers: headers),
                upgraders: [upgrader],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(SignalRefusalHandler(box.value))
                        return .refused
                    }
                }))
        // The server's first message may come in one piece with its answer.
        configuration.leftOverBytesStrategy = .forwardBytes
        try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(.upgraded): self.opened()
                case .success(.refused): break
                case .failure(let error): self.fail(error)
                }
            }
    }

    private func opened() {
        guard phase == .connecting else { return }
        phase = .open
        deadline?.cancel()
        wire.reportOpened()
        for message in queue { write(.binary, ByteBuffer(bytes: message)) }
        queue = []
    }

    // MARK: Frames

    /// Clients mask what they send (RFC 6455 section 5.3).
    func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        channel?.writeAndFlush(frame, promise: nil)
    }

    private func writeClose(_ code: UInt16) { write(.connectionClose, ByteBuffer(integer: code)) }

    func received(_ message: [UInt8]) {
        guard phase == .open else { return }
        if !wire.report(message: message) {
            violated("messages come faster than they are taken", code: SignalSocketLimits.CloseCode.violation)
        }
    }

    func receivedPing(_ data: ByteBuffer) {
        if phase == .open { write(.pong, data) }
    }

    /// The server closes: it gets the same code back (RFC 6455 section 5.5.1).
    func receivedClose(code: UInt16?) {
        guard phase == .open else { return end(.closedHere) }
        write(.connectionClose, code.map { ByteBuffer(integer: $0) } ?? ByteBuffer())
        end(.closedByPeer(code: code))
    }

    func violated(_ text: String, code: UInt16) {
        if phase == .open { writeClose(code) }
        end(.protocolViolation(text))
    }

    /// More waits than the server may leave unread.
    func congested() { end(.unreachable("the server takes no more bytes")) }

    // MARK: The end

    /// The answer's head, then its body so far.
    func refused(status: Int, body: String, isComplete: Bool) {
        refusal = (status, body)
        if isComplete { end(.refused(status: status, body: body)) }
    }

    func fail(_ error: any Error) {
        if let reason = SignalSocketClosed(error: error, host: target.address?.host ?? "") {
            if phase == .open, let error = error as? NIOWebSocketError { writeClose(Self.closeCode(for: error)) }
            return end(reason)
        }
        switch phase {
        case .open, .closing: end(.closedByPeer(code: nil))
        case .idle, .connecting, .over: end(.unreachable("the server closed the connection before it answered"))
        }
    }

    private static func closeCode(for error: NIOWebSocketError) -> UInt16 {
        switch error {
        case .invalidFrameLength: SignalSocketLimits.CloseCode.tooLarge
        case .fragmentedControlFrame, .multiByteControlFrameLength: SignalSocketLimits.CloseCode.violation
        }
    }

    private func end(_ reason: SignalSocketClosed) {
        guard phase != .over else { return }
        let wasClosing = phase == .closing
        phase = .over
        deadline?.cancel()
        queue = []
        channel?.close(promise: nil)
        channel = nil
        if wasClosing || reason == .closedHere {
            wire.report(closed: .closedHere)
        } else if let refusal {
            wire.report(closed: .refused(status: refusal.status, body: refusal.body))
        } else {
            wire.report(closed: reason)
        }
    }
}
