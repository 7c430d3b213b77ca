/// One `m=` line with what follows it (RFC 8866 section 5.14).
package struct MediaSection: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case audio, video, application
        case other(String)
    }

    package var kind: Kind
    /// Zero: the section is refused, or `isBundleOnly` says that it lives on another one's transport.
    package var port: UInt16
    /// The number behind the port's slash; 1 without one.
    package var portCount: UInt16
    /// "UDP/TLS/RTP/SAVPF", "UDP/DTLS/SCTP", …
    package var transportProtocol: String
    /// Payload types for RTP, otherwise words such as "webrtc-datachannel".
    package var formats: [String]
    /// `c=`, as text.
    package var connection: String?
    package var bandwidths: [Bandwidth]
    /// `a=mid` (RFC 5888 section 4).
    package var mid: String?
    package var direction: Direction?
    /// `a=bundle-only` (RFC 9143 section 6).
    package var isBundleOnly: Bool
    /// `a=rtcp-mux` (RFC 5761).
    package var rtcpMux: Bool
    /// `a=rtcp-mux-only` (RFC 8858).
    package var rtcpMuxOnly: Bool
    /// `a=rtcp-rsize` (RFC 5506).
    package var rtcpReducedSize: Bool
    package var transport: TransportAttributes
    /// `a=candidate` (RFC 8839 section 5.1) from "candidate:" on, unparsed.
    package var candidates: [String]
    /// `a=end-of-candidates` (RFC 8840 section 4.2).
    package var endOfCandidates: Bool
    package var rtpmaps: [RTPMap]
    package var formatParameters: [FormatParameters]
    package var feedback: [RTCPFeedback]
    package var extensions: [ExtensionMapping]
    /// `a=msid` (RFC 8830).
    package var msids: [MediaStreamID]
    package var rids: [RestrictionID]
    package var simulcast: Simulcast?
    package var ssrcGroups: [SSRCGroup]
    package var ssrcs: [SSRCAttribute]
    /// Attributes that this module does not know, in their order.
    package var otherAttributes: [SDPAttribute]

    package init(kind: Kind, port: UInt16, transportProtocol: String, formats: [String]) {
        self.kind = kind
        self.port = port
        self.portCount = 1
        self.transportProtocol = transportProtocol
        self.formats = formats
        self.connection = nil
        self.bandwidths = []
        self.mid = nil
        self.direction = nil
        self.isBundleOnly = false
        self.rtcpMux = false
        self.rtcpMuxOnly = false
        self.rtcpReducedSize = false
        self.transport = TransportAttributes()
        self.candidates = []
        self.endOfCandidates = false
        self.rtpmaps = []
        self.formatParameters = []
        self.feedback = []
        self.extensions = []
        self.msids = []
        self.rids = []
        self.simulcast = nil
        self.ssrcGroups = []
        self.ssrcs = []
        self.otherAttributes = []
    }

    /// The section is refused: port zero without bundle-only.
    package var isRejected: Bool { port == 0 && !isBundleOnly }

    /// The formats that are RTP payload types, in order of preference.
    package var payloadTypes: [UInt8] { formats.compactMap { UInt8(decimal: $0.utf8, upTo: 127) } }

    package func rtpmap(for payloadType: UInt8) -> RTPMap? { rtpmaps.first { $0.payloadType == payloadType } }

    package func parameters(for payloadType: UInt8) -> FormatParameters? {
        formatParameters.first { $0.payloadType == payloadType }
    }

    /// The feedback of one payload type, with the lines that hold for all.
    package func feedback(for payloadType: UInt8) -> [RTCPFeedback] {
        feedback.filter { $0.payloadType == nil || $0.payloadType == payloadType }
    }
}

extension MediaSection.Kind {
    /// The word of the `m=` line.
    package var name: String {
        switch self {
        case .audio: "audio"
        case .video: "video"
        case .application: "application"
        case .other(let name): name
        }
    }

    package init(name: String) {
        switch name {
        case "audio": self = .audio
        case "video": self = .video
        case "application": self = .application
        default: self = .other(name)
        }
    }
}
