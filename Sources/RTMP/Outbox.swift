import Bytes
import Media

/// Messages on their way out: the chunk writer and the bytes that the socket has not taken yet.
struct Outbox {
    /// Chunk stream of control messages (RTMP 1.0 section 5.4) and of commands.
    static let controlChunkStream = 2
    static let commandChunkStream = 3

    private var writer = ChunkWriter()
    private var bytes = ByteWriter()

    var isEmpty: Bool { bytes.count == 0 }

    /// Hands over all bytes; nil when there are none.
    mutating func take() -> [UInt8]? {
        guard bytes.count > 0 else { return nil }
        defer { bytes = ByteWriter() }
        return bytes.bytes
    }

    /// Appends all bytes to `output` and keeps the memory for the next ones.
    mutating func move(to output: inout [UInt8]) {
        output.append(contentsOf: bytes.bytes)
        bytes.removeAll()
    }

    mutating func write(raw: [UInt8]) { bytes.write(raw) }

    mutating func write(_ message: RTMPControlMessage) {
        writer.write(
            message.type.rawValue, payload: message.payload.rawSpan, timestamp: 0, messageStreamID: 0,
            chunkStreamID: Self.controlChunkStream, to: &bytes)
        // The size holds for what follows the announcement.
        if case .setChunkSize(let size) = message { writer.chunkBytes = Int(size) }
    }

    mutating func write(_ command: RTMPCommand, messageStreamID: UInt32 = 0) {
        writer.write(
            RTMPMessageType.commandAMF0.rawValue, payload: AMF0Writer.encode(command.values).rawSpan, timestamp: 0,
            messageStreamID: messageStreamID, chunkStreamID: Self.commandChunkStream, to: &bytes)
    }

    mutating func writeMedia(
        _ type: RTMPMessageType, payload: RawSpan, timestamp: UInt32, messageStreamID: UInt32, chunkStreamID: Int
    ) {
        writer.write(
            type.rawValue, payload: payload, timestamp: timestamp, messageStreamID: messageStreamID,
            chunkStreamID: chunkStreamID, to: &bytes)
    }
}

/// Counts received bytes against the window that the peer set (RTMP 1.0 sections 5.4.3 and 5.4.4).
package struct AcknowledgementWindow {
    /// Used until the peer names one; servers and encoders in the field announce this.
    private static let defaultBytes: UInt32 = 2_500_000

    private var window = AcknowledgementWindow.defaultBytes
    private var received: UInt32 = 0
    private var acknowledged: UInt32 = 0

    package init() {}

    /// 0 stands for the default.
    package mutating func set(_ bytes: UInt32) { window = bytes == 0 ? Self.defaultBytes : bytes }

    package mutating func count(_ bytes: Int) { received &+= UInt32(truncatingIfNeeded: bytes) }

    /// The sequence number to acknowledge now, which is then taken as sent: at half the window, so that a peer that stops at
    /// the whole never has to.
    package mutating func takeDue() -> UInt32? {
        guard received &- acknowledged >= max(window / 2, 1) else { return nil }
        acknowledged = received
        return received
    }
}
