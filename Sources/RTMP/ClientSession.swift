package import Bytes
package import Media

/// What a publishing client says of itself and where it wants to go.
package struct RTMPClientConfiguration: Sendable {
    package var app: String
    /// "rtmp://host/app", without the key.
    package var tcURL: String
    /// The key, with a query behind "?" where one is wanted.
    package var streamName: String
    package var flashVersion = "FMLE/3.0 (compatible; ingress)"
    /// Payload bytes of the chunks it sends; at least 128.
    package var chunkBytes: UInt32 = 65_536
    /// More members for the `connect` object, such as `fourCcList`.
    package var connectProperties: [AMF0Property] = []

    package init(app: String, tcURL: String, streamName: String) {
        self.app = app
        self.tcURL = tcURL
        self.streamName = streamName
    }
}

package enum RTMPClientEvent: Equatable, Sendable {
    /// The server takes the stream; media may be sent.
    case publishStarted
    /// The server refused `connect` or `publish`, or ended the stream later. The session is closing.
    case refused(code: String, description: String)
    /// E-RTMP v2: the server wants the client to connect anew, there if an address is given.
    case reconnectRequested(tcURL: String?)
}

/// What a client sends besides commands.
package enum RTMPMediaKind: Sendable, CaseIterable {
    /// FLV audio tag bodies, FLV video tag bodies, AMF0 data such as `@setDataFrame`.
    case audio, video, data
}

/// The publishing side of one RTMP connection, for encoders and test tools; verbs as in `RTMPServerSession`.
///
/// It shakes hands in the simple form, connects, creates a stream and publishes by itself, then says `.publishStarted`.
package struct RTMPClientSession: ~Copyable {
    private enum State: Equatable {
        case awaitingHandshake, awaitingConnectResult, awaitingStream, awaitingPublishStart, publishing, closing, failed
    }

    private enum Deadline: Int, CaseIterable, Sendable {
        case publish
    }

    /// Transactions are numbered in the order in which this client sends them.
    private enum Transaction {
        static let connect = 1.0
        static let releaseStream = 2.0
        static let fcPublish = 3.0
        static let createStream = 4.0
        static let publish = 5.0
        static let close = 6.0
    }

    private let configuration: RTMPClientConfiguration
    private let limits: RTMPLimits
    private var state = State.awaitingHandshake
    private var handshake: ClientHandshake
    private var chunks: ChunkReader
    private var outbox = Outbox()
    private var events: [RTMPClientEvent] = []
    private var timers = TimerTable<Deadline>()
    private var window = AcknowledgementWindow()
    private var controlBudget: RateBudget
    private var streamID: UInt32 = 0

    /// `random` needs 1,528 bytes. The opening of the handshake is ready to be sent at once.
    package init(
        configuration: RTMPClientConfiguration, limits: RTMPLimits = RTMPLimits(), slabPool: SlabPool? = nil,
        random: [UInt8], at now: Monotonic
    ) {
        self.configuration = configuration
        self.limits = limits
        handshake = ClientHandshake(random: random)
        chunks = ChunkReader(limits: limits, pool: slabPool)
        controlBudget = RateBudget(perSecond: limits.controlMessagesPerSecond)
        outbox.write(raw: handshake.opening)
        timers[.publish] = now + limits.handshakeTimeout + limits.publishTimeout
    }

    package var isPublishing: Bool { state == .publishing }
    /// Close the socket once `pollTransmit()` is drained and sent.
    package var isClosing: Bool { state == .closing || state == .failed }
    package var nextDeadline: Monotonic? { isClosing ? nil : timers.next }

    package mutating func pollTransmit() -> [UInt8]? { outbox.take() }

    /// Appends the bytes for the socket to `output`; for senders that keep their buffer.
    package mutating func pollTransmit(into output: inout [UInt8]) { outbox.move(to: &output) }

    package mutating func pollEvent() -> RTMPClientEvent? { events.isEmpty ? nil : events.removeFirst() }

    package mutating func receive(_ bytes: RawSpan, at now: Monotonic) throws(RTMPError) {
        guard state != .failed else { throw .closed }
        do {
            try process(bytes, at: now)
        } catch {
            state = .failed
            throw error
        }
    }

    package mutating func advance(to now: Monotonic) throws(RTMPError) {
        guard !isClosing, timers.popExpired(at: now) != nil else { return }
        state = .failed
        throw .publishTimeout
    }

    /// Sends one message of the stream; throws `.notPublishing` before `.publishStarted` and after the end. The time goes out
    /// modulo 2^32.
    package mutating func send(
        _ kind: RTMPMediaKind, payload: RawSpan, timestampMilliseconds: Int64
    ) throws(RTMPError) {
        guard state == .publishing else { throw .notPublishing }
        guard payload.byteCount <= 0xFF_FFFF else { throw .messageTooLarge(bytes: payload.byteCount) }
        let (type, chunkStream): (RTMPMessageType, Int) =
            switch kind {
            case .audio: (.audio, 4)
            case .video: (.video, 6)
            case .data: (.dataAMF0, 5)
            }
        outbox.writeMedia(
            type, payload: payload, timestamp: UInt32(truncatingIfNeeded: timestampMilliseconds),
            messageStreamID: streamID, chunkStreamID: chunkStream)
    }

    /// Ends the stream in good order.
    package mutating func close() {
        if state == .publishing || state == .awaitingPublishStart {
            call("FCUnpublish", Transaction.close, [.string(streamName)])
            call("deleteStream", Transaction.close + 1, [.number(Double(streamID))])
        }
        if state != .failed { state = .closing }
    }

    /// The name without its query, which only `publish` carries.
    private var streamName: String {
        String(configuration.streamName.prefix { $0 != "?" })
    }

    private mutating func process(_ bytes: RawSpan, at now: Monotonic) throws(RTMPError) {
        var offset = 0
        if state == .awaitingHandshake {
            guard let answer = try handshake.receive(bytes, from: &offset) else { return }
            outbox.write(raw: answer)
            state = .awaitingConnectResult
            sendConnect()
        }
        while !isClosing, let message = try chunks.nextMessage(bytes, from: &offset) { try handle(message, at: now) }
        window.count(bytes.byteCount)
        if let sequence = window.takeDue() { outbox.write(.acknowledgement(sequence)) }
    }

    private mutating func sendConnect() {
        outbox.write(.setChunkSize(max(configuration.chunkBytes, 128)))
        let properties = [
            AMF0Property("app", .string(configuration.app)), AMF0Property("type", .string("nonprivate")),
            AMF0Property("flashVer", .string(configuration.flashVersion)),
            AMF0Property("tcUrl", .string(configuration.tcURL)),
        ]
        let object = AMF0Value.object(properties + configuration.connectProperties)
        outbox.write(RTMPCommand("connect", transactionID: Transaction.connect, object: object))
    }

    private mutating func call(_ name: String, _ transaction: Double, _ arguments: [AMF0Value], on stream: UInt32 = 0) {
        outbox.write(RTMPCommand(name, transactionID: transaction, arguments: arguments), messageStreamID: stream)
    }

    private mutating func handle(_ message: RTMPMessage, at now: Monotonic) throws(RTMPError) {
        guard message.type != .audio, message.type != .video else { return }
        guard message.payload.count <= limits.commandBytes else {
            throw .messageTooLarge(bytes: message.payload.count)
        }
        guard controlBudget.spend(1, at: now) else { throw .controlBudgetExceeded }
        if let control = try RTMPControlMessage(message) { return try handle(control) }
        guard message.type == .commandAMF0 || message.type == .commandAMF3 else { return }
        let values = try RTMPCommand.readValues(
            message.payload.bytes, isAMF3: message.type == .commandAMF3, limits: limits.amf)
        guard let command = RTMPCommand(values) else { return }
        handle(command)
    }

    private mutating func handle(_ control: RTMPControlMessage) throws(RTMPError) {
        switch control {
        case .setChunkSize(let size): try chunks.setChunkSize(size)
        case .abort(let id): chunks.abort(chunkStreamID: id)
        case .windowAcknowledgementSize(let bytes): window.set(bytes)
        case .setPeerBandwidth(let bytes, _): outbox.write(.windowAcknowledgementSize(bytes))
        case .pingRequest(let time): outbox.write(.pingResponse(time))
        case .acknowledgement, .streamBegin, .streamEnd, .setBufferLength, .pingResponse, .otherEvent: break
        }
    }

    private mutating func handle(_ command: RTMPCommand) {
        let information = command.arguments.first ?? .null
        switch (command.name, state) {
        case ("_result", .awaitingConnectResult) where command.transactionID == Transaction.connect:
            call("releaseStream", Transaction.releaseStream, [.string(streamName)])
            call("FCPublish", Transaction.fcPublish, [.string(streamName)])
            call("createStream", Transaction.createStream, [])
            state = .awaitingStream
        case ("_result", .awaitingStream) where command.transactionID == Transaction.createStream:
            streamID = information.integerValue.flatMap { UInt32(exactly: $0) } ?? 1
            let arguments: [AMF0Value] = [.string(configuration.streamName), .string("live")]
            call("publish", Transaction.publish, arguments, on: streamID)
            state = .awaitingPublishStart
        case ("_error", .awaitingConnectResult) where command.transactionID == Transaction.connect: refuse(information)
        case ("_error", .awaitingStream) where command.transactionID == Transaction.createStream: refuse(information)
        case ("onStatus", _): handleStatus(information)
        default: break
        }
    }

    private mutating func handleStatus(_ information: AMF0Value) {
        let code = information["code"]?.stringValue ?? ""
        if code == "NetConnection.Connect.ReconnectRequest" {
            events.append(.reconnectRequested(tcURL: information["tcUrl"]?.stringValue))
        } else if information["level"]?.stringValue == "error" {
            refuse(information)
        } else if code == "NetStream.Publish.Start", state == .awaitingPublishStart {
            state = .publishing
            timers[.publish] = nil
            events.append(.publishStarted)
        }
    }

    private mutating func refuse(_ information: AMF0Value) {
        state = .closing
        events.append(
            .refused(
                code: information["code"]?.stringValue ?? "", description: information["description"]?.stringValue ?? ""
            ))
    }
}
