import Bytes
import Media
import RTMP
import Testing

/// An encoder of few manners: writes what it is told to, with its own chunk writer, and reads the server's answers.
final class TestEncoder {
    private var writer = ChunkWriter()
    private var reader = ChunkReader(limits: RTMPLimits(), pool: nil)
    private(set) var commands: [RTMPCommand] = []
    private(set) var controls: [RTMPControlMessage] = []
    private var handshakeLeft = 1 + 2 * 1536

    static let opening = [3] + [UInt8](repeating: 0, count: 1536) + [UInt8](repeating: 1, count: 1536)

    func statusCodes() -> [String] {
        commands.filter { $0.name == "onStatus" }.compactMap { $0.arguments.first?["code"]?.stringValue }
    }

    func message(
        _ type: UInt8, _ payload: [UInt8], time: UInt32 = 0, stream: UInt32 = 1, on chunkStream: Int = 4
    ) -> [UInt8] {
        var output = ByteWriter()
        writer.write(
            type, payload: payload.rawSpan, timestamp: time, messageStreamID: stream, chunkStreamID: chunkStream,
            to: &output)
        return output.bytes
    }

    func call(
        _ name: String, _ transaction: Double = 0, object: AMF0Value = .null, _ arguments: [AMF0Value] = [],
        stream: UInt32 = 0
    ) -> [UInt8] {
        let command = RTMPCommand(name, transactionID: transaction, object: object, arguments: arguments)
        return message(20, AMF0Writer.encode(command.values), stream: stream, on: 3)
    }

    func connect(app: String = "live", more: [AMF0Property] = []) -> [UInt8] {
        let members = [AMF0Property("app", .string(app)), AMF0Property("tcUrl", .string("rtmp://h/\(app)"))]
        return call("connect", 1, object: .object(members + more))
    }

    func publish(_ name: String = "key") -> [UInt8] {
        call("publish", 5, [.string(name), .string("live")], stream: 1)
    }

    /// Reads what the server sent.
    func take(_ bytes: [UInt8]) throws {
        let skipped = min(handshakeLeft, bytes.count)
        handshakeLeft -= skipped
        var offset = skipped
        while let message = try reader.nextMessage(bytes.rawSpan, from: &offset) {
            if let control = try RTMPControlMessage(message) {
                controls.append(control)
                if case .setChunkSize(let size) = control { try reader.setChunkSize(size) }
            } else if message.type == .commandAMF0 {
                let values = try RTMPCommand.readValues(message.payload.bytes, isAMF3: false, limits: AMF0Limits())
                commands.append(try #require(RTMPCommand(values)))
            }
        }
    }
}

/// A session with its encoder and a virtual clock.
final class TestConnection {
    var session: RTMPServerSession
    let encoder = TestEncoder()
    var now = Monotonic.zero + .seconds(1000)

    init(limits: RTMPLimits = RTMPLimits()) {
        session = RTMPServerSession(
            limits: limits, hmac: nil, random: [UInt8](repeating: 5, count: 1528), at: Monotonic.zero + .seconds(1000))
    }

    var isClosing: Bool { session.isClosing }
    var wantsBytes: Bool { session.wantsBytes }
    var nextDeadline: Monotonic? { session.nextDeadline }
    var hasCompletedHandshake: Bool { session.hasCompletedHandshake }

    func send(_ bytes: [UInt8]) throws {
        try session.receive(bytes.rawSpan, at: now)
        try drain()
    }

    func drain() throws {
        while let bytes = session.pollTransmit() { try encoder.take(bytes) }
    }

    func events() -> [String] {
        var names: [String] = []
        while let event = session.pollEvent() { names.append(Self.name(event)) }
        return names
    }

    func connect(more: [AMF0Property] = []) throws {
        try send(TestEncoder.opening)
        try send(encoder.connect(more: more))
    }

    func startPublish() throws {
        try connect()
        try send(encoder.publish())
        _ = events()
        session.acceptPublish(at: now)
        try drain()
    }

    static func name(_ event: RTMPServerEvent) -> String {
        switch event {
        case .publishRequested(let request): "publish \(request.app)/\(request.key)?\(request.query)"
        case .audio(let time, let payload): "audio \(time) \(payload.count)"
        case .video(let time, let payload): "video \(time) \(payload.count)"
        case .data(let time, let payload): "data \(time) \(payload.count)"
        case .publishEnded: "end"
        }
    }
}
