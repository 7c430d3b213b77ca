package import LiveKitProtocol

/// Why a room session is over.
package struct SignalEnd: Error, Hashable, Sendable {
    /// One more run may have success.
    package var isRetryable: Bool
    /// For the ingress's state and the log. Empty when we left.
    package var text: String
    package var reason: Livekit_DisconnectReason

    package init(isRetryable: Bool, text: String, reason: Livekit_DisconnectReason) {
        self.isRetryable = isRetryable
        self.text = text
        self.reason = reason
    }

    /// We left.
    package static let left = SignalEnd(isRetryable: false, text: "", reason: .clientInitiated)

    /// The server said goodbye for `reason`.
    package static func disconnected(_ reason: Livekit_DisconnectReason) -> SignalEnd {
        let detail =
            switch reason {
            case .duplicateIdentity: "another participant with the same identity joined"
            case .serverShutdown: "the server shuts down"
            case .participantRemoved: "the participant was removed"
            case .roomDeleted: "the room was deleted"
            case .stateMismatch: "the server does not know the session any more"
            case .joinFailure: "no media connection was made in time"
            case .migration: "the session was moved"
            case .signalClose: "the signalling connection was lost"
            case .roomClosed: "the room was closed"
            default: "reason \(reason.rawValue)"
            }
        switch reason {
        case .joinFailure, .signalClose, .stateMismatch:
            return SignalEnd(isRetryable: true, text: "room disconnected unexpectedly: \(detail)", reason: reason)
        default: return SignalEnd(isRetryable: false, text: "room disconnected: \(detail)", reason: reason)
        }
    }

    /// All attempts to get the connection back failed, the last one for `cause`.
    static func exhausted(_ cause: String) -> SignalEnd {
        SignalEnd(isRetryable: true, text: "room disconnected unexpectedly: \(cause)", reason: .signalClose)
    }

    /// The server refused for good.
    static func refused(_ cause: String) -> SignalEnd {
        SignalEnd(isRetryable: false, text: "could not join the room: \(cause)", reason: .unknownReason)
    }
}
