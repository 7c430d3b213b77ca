import DTLS
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Runtime

/// Why a signalling socket is closed, or was never open. Texts are for a person and hold no secret.
package enum SignalSocketClosed: Error, Equatable, Sendable {
    /// An HTTP answer instead of a websocket; of the body the first 512 bytes, printable.
    case refused(status: Int, body: String)
    /// No connection was made, or it broke before the websocket was open.
    case unreachable(String)
    /// The server could not be trusted, or TLS broke.
    case tls(String)
    /// The server closed, or the connection broke (then there is no code; RFC 6455 section 7.4).
    case closedByPeer(code: UInt16?)
    case protocolViolation(String)
    /// Not open within the time given.
    case timedOut
    /// By `close()`.
    case closedHere
}

extension SignalSocketClosed {
    /// What an error of the pipeline means; nil: the connection just broke.
    package init?(error: any Error, host: String) {
        switch error {
        case let reason as SignalSocketClosed: self = reason
        case let error as DTLSError: self = .tls(error.description)
        case let error as NIOWebSocketError: self = .protocolViolation(Self.text(of: error))
        case is HTTPParserError: self = .protocolViolation("the answer is not HTTP")
        case is NIOHTTPClientUpgradeError: self = .protocolViolation("the answer is no websocket handshake")
        case let error as NIOConnectionError: self = .unreachable(Self.text(of: error, host: host))
        case let error as IOError: self = .unreachable("\(host): \(Errno(rawValue: error.errnoCode))")
        case ChannelError.connectTimeout: self = .timedOut
        case is ChannelError: return nil
        default: self = .protocolViolation("the answer was not understood")
        }
    }

    private static func text(of error: NIOWebSocketError) -> String {
        switch error {
        case .invalidFrameLength: "a frame is larger than \(SignalSocketLimits.messageBytes) bytes"
        case .fragmentedControlFrame: "a control frame is fragmented"
        case .multiByteControlFrameLength: "a control frame is longer than 125 bytes"
        }
    }

    private static func text(of error: NIOConnectionError, host: String) -> String {
        guard let last = error.connectionErrors.last else { return "\(host): the name is not known" }
        guard let io = last.error as? IOError else { return "\(host): no connection within the time given" }
        return "\(host): \(Errno(rawValue: io.errnoCode))"
    }
}

/// Limits of the signalling connection.
enum SignalSocketLimits {
    /// Of one message, however it is fragmented; what servers accept too.
    static let messageBytes = 2 * 1024 * 1024
    /// Of an HTTP answer that refuses.
    static let refusalBytes = 512
    /// Messages that wait for the media loop; a power of two.
    static let waitingMessages = 256
    /// Their bytes.
    static let waitingBytes = 8 * 1024 * 1024
    /// Bytes that the server may leave unread.
    static let unsentBytes = 4 * 1024 * 1024
    /// How long a closed socket waits for the server to say the same, in milliseconds.
    static let closeMilliseconds: Int64 = 2_000
    /// RFC 6455 section 7.4.1.
    enum CloseCode {
        static let normal: UInt16 = 1000
        static let violation: UInt16 = 1002
        static let unsupported: UInt16 = 1003
        static let tooLarge: UInt16 = 1009
    }
}
