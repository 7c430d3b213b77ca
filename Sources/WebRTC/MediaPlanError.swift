/// Why an offer or answer cannot be used at all. Faults of single sections only refuse those.
package enum MediaPlanError: Error, Equatable, Sendable {
    /// Sections are there for what we send or take, and none has a codec of ours.
    case noCommonCodec
    /// No section of the kinds that we send is willing to receive.
    case nothingToReceive
    /// No section sends audio or video.
    case nothingToSend
    /// All sections that could be used lack `a=rtcp-mux` or `a=mid`, stand outside of the bundle or are not DTLS-SRTP.
    case transportUnsupported
    /// Two sections have one mid (RFC 5888 section 4).
    case duplicateMid
    /// `a=ice-ufrag` or `a=ice-pwd` is missing or too short (RFC 8839 section 5.4).
    case iceCredentials
    /// No fingerprint with SHA-256 or better.
    case fingerprint
    /// `a=setup` is neither of actpass, active and passive, or actpass in an answer (RFC 8842 section 5).
    case setup
    /// The answer's sections are not those of the offer (RFC 3264 section 6).
    case sectionsDiffer
    /// The answer refuses every section.
    case everythingRefused
}

extension MediaPlanError: CustomStringConvertible {
    /// One sentence for whoever sent the description.
    package var description: String {
        switch self {
        case .noCommonCodec: "No section offers a codec that can be used here."
        case .nothingToReceive: "No audio or video section is willing to receive what this stream has."
        case .nothingToSend: "No audio or video section is willing to send."
        case .transportUnsupported:
            "Media sections need a mid, rtcp-mux, DTLS-SRTP and a place in one BUNDLE group."
        case .duplicateMid: "Two media sections have the same mid."
        case .iceCredentials: "The description lacks ice-ufrag or ice-pwd, or they are too short."
        case .fingerprint: "The description has no certificate fingerprint with SHA-256 or better."
        case .setup: "The setup attribute leaves nobody to start the DTLS handshake."
        case .sectionsDiffer: "The answer's media sections are not those of the offer."
        case .everythingRefused: "The answer refuses every media section."
        }
    }
}
