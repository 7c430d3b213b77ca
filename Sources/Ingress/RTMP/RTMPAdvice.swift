import RTMP

/// What an RTMP failure means to the person at the encoder.
enum RTMPAdvice {
    static func sentence(for error: RTMPError) -> String {
        switch error {
        case .unsupportedVersion(22): "a TLS client came to the RTMP port: use rtmp:// here, or the RTMPS port"
        case .unsupportedVersion(6): "encrypted RTMPE is not spoken here: use rtmp:// or rtmps://"
        case .unsupportedVersion(let first) where (0x41...0x5A).contains(first): "an HTTP client came to the RTMP port"
        case .unsupportedVersion: "the first byte is not RTMP version 3"
        case .handshakeTimeout: "the handshake was not finished within 5 s"
        case .publishTimeout: "nothing was published within 10 s of the connection"
        case .idleTimeout: "the encoder sent nothing for 60 s"
        case .messageTooLarge(let bytes): "a message of \(bytes) bytes is above the limit of 16 MiB"
        case .tooManyUnfinishedBytes: "more than 24 MiB of unfinished messages"
        case .tooManyChunkStreams: "more than 64 chunk streams"
        case .smallChunkBudgetExceeded:
            "too many tiny chunks a second: raise the encoder's chunk size to 128 bytes or more"
        case .controlBudgetExceeded: "too many control messages a second"
        case .heldMediaOverflow: "too much media before the publish request was answered"
        default: "the encoder broke the protocol (\(error))"
        }
    }
}
