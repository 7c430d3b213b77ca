import Bytes
package import Media

extension RTPReceiver {
    /// What was negotiated for the receiving side of one transport.
    package struct Configuration: Hashable, Sendable {
        /// The source of all RTCP that the receiver makes.
        package var localSSRC: UInt32
        package var cname: InlineBytes
        package var clock: NTPClock
        package var sections: [Section]
        /// RFC 5506: feedback may leave without a report before it.
        package var allowsReducedSize: Bool

        package init(
            localSSRC: UInt32, cname: InlineBytes, clock: NTPClock, sections: [Section], allowsReducedSize: Bool = false
        ) {
            self.localSSRC = localSSRC
            self.cname = cname
            self.clock = clock
            self.sections = sections
            self.allowsReducedSize = allowsReducedSize
        }
    }

    /// One media section that the peer sends.
    package struct Section: Hashable, Sendable {
        /// The caller's number of the section.
        package var index: Int
        package var kind: MediaKind
        package var mid: InlineBytes?
        package var payloads: [Payload]
        package var extensions: HeaderExtensionMap
        package var feedback: FeedbackOptions
        /// The layers of `a=simulcast` by their `a=rid`; empty without simulcast.
        package var streamIDs: [InlineBytes]
        /// Of `a=ssrc`, those of retransmissions among them if announced.
        package var ssrcs: [UInt32]
        /// Of `a=ssrc-group:FID`.
        package var retransmissionPairs: [RetransmissionPair]

        package init(
            index: Int, kind: MediaKind, mid: InlineBytes? = nil, payloads: [Payload],
            extensions: HeaderExtensionMap = HeaderExtensionMap(), feedback: FeedbackOptions = [],
            streamIDs: [InlineBytes] = [], ssrcs: [UInt32] = [], retransmissionPairs: [RetransmissionPair] = []
        ) {
            self.index = index
            self.kind = kind
            self.mid = mid
            self.payloads = payloads
            self.extensions = extensions
            self.feedback = feedback
            self.streamIDs = streamIDs
            self.ssrcs = ssrcs
            self.retransmissionPairs = retransmissionPairs
        }
    }

    package struct Payload: Hashable, Sendable {
        /// Seven bits.
        package var type: UInt8
        package var role: PayloadRole

        package init(type: UInt8, role: PayloadRole) {
            self.type = type
            self.role = role
        }
    }

    package enum PayloadRole: Hashable, Sendable {
        case media(clockRate: Int)
        /// RFC 4588, of the payload type in its `apt`.
        case retransmission(of: UInt8)
        /// RED, RFC 2198.
        case redundancy
        /// RFC 5109, inside RED or with sequence numbers of the media.
        case ulpfec
    }

    /// A stream's SSRC and that of its retransmissions.
    package struct RetransmissionPair: Hashable, Sendable {
        package var media: UInt32
        package var retransmission: UInt32

        package init(media: UInt32, retransmission: UInt32) {
            self.media = media
            self.retransmission = retransmission
        }
    }

    /// The kinds of feedback that the peer understands (`a=rtcp-fb`).
    package struct FeedbackOptions: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let nack = FeedbackOptions(rawValue: 1)
        /// `nack pli`
        package static let pictureLoss = FeedbackOptions(rawValue: 2)
        /// `ccm fir`; used only without PLI.
        package static let fullIntra = FeedbackOptions(rawValue: 4)
        package static let transportWide = FeedbackOptions(rawValue: 8)
        /// `goog-remb`; used only when no section has transport-wide feedback.
        package static let maximumBitrate = FeedbackOptions(rawValue: 16)
    }
}

/// A section with its payload types in a table.
struct ReceiveSection: Sendable {
    let configuration: RTPReceiver.Section
    /// By payload type.
    private let roles: [RTPReceiver.PayloadRole?]
    let hasCorrection: Bool
    /// Of the first media payload.
    let clockRate: Int

    init(_ configuration: RTPReceiver.Section) {
        self.configuration = configuration
        var roles = [RTPReceiver.PayloadRole?](repeating: nil, count: 128)
        var clockRate: Int?
        for payload in configuration.payloads where roles[Int(payload.type & 0x7F)] == nil {
            roles[Int(payload.type & 0x7F)] = payload.role
            if case .media(let rate) = payload.role { clockRate = clockRate ?? rate }
        }
        self.roles = roles
        hasCorrection = roles.contains(.ulpfec)
        self.clockRate = max(clockRate ?? 90_000, 1)
    }

    func role(of payloadType: UInt8) -> RTPReceiver.PayloadRole? { roles[Int(payloadType & 0x7F)] }
    var isSimulcast: Bool { !configuration.streamIDs.isEmpty }

    /// Announced as a source of media, not of retransmissions.
    func announcesMedia(_ ssrc: UInt32) -> Bool {
        let pairs = configuration.retransmissionPairs
        if pairs.contains(where: { $0.media == ssrc }) { return true }
        return configuration.ssrcs.contains(ssrc) && !pairs.contains { $0.retransmission == ssrc }
    }

    func announces(_ ssrc: UInt32) -> Bool {
        configuration.ssrcs.contains(ssrc)
            || configuration.retransmissionPairs.contains { $0.media == ssrc || $0.retransmission == ssrc }
    }
}
