// MediaPlan: what two session descriptions agree on. Pure functions from an offer and what we send to an answer, or
// from our offer and its answer, to one plan: which payload type, extensions and feedback each section has, and the
// other side's transport. Rules of RFC 8829 (JSEP), 9143 (BUNDLE), 8834, 6184, 7587, 7741, 8842 and 8853.
//
// One transport for everything: sections outside of the bundle, without rtcp-mux or without a codec of ours are refused
// one by one and the others go on. SSRCs, credentials and ids come from the caller.

package import Media
package import SDP

/// The outcome of one offer and answer.
package struct MediaPlan: Equatable, Sendable {
    /// Who starts the DTLS handshake: the client does.
    package enum DTLSRole: Equatable, Sendable {
        case client, server
    }

    /// What we said: our answer, ready to send, or the offer that was answered.
    package var localDescription: SessionDescription
    /// The sections that carry media, in the order of the descriptions; refused ones are left out. Never empty.
    package var sections: [PlannedSection]
    package var remote: RemoteTransport
    /// Ours.
    package var dtlsRole: DTLSRole
}

/// What the other side says of its transport.
package struct RemoteTransport: Equatable, Sendable {
    package var iceUfrag: String
    package var icePwd: String
    /// The other side only answers checks (RFC 8445 section 2.5).
    package var isICELite: Bool
    /// More candidates may follow (`a=ice-options:trickle`, RFC 8838).
    package var trickles: Bool
    /// Never empty; the certificate shown in DTLS must have one of them. SHA-256, SHA-384 and SHA-512 only.
    package var fingerprints: [Fingerprint]
    /// From "candidate:" on. Often none: the other side is then learned from its checks.
    package var candidates: [String]
    package var endOfCandidates: Bool
    /// `a=setup`; active when there is none (RFC 4145 section 4).
    package var setup: SetupRole
}

/// One section that carries media from us.
package struct PlannedSection: Equatable, Sendable {
    /// Position among the `m=` lines, from 0.
    package var index: Int
    package var mid: String
    package var kind: MediaKind
    /// Ours: always `sendonly` so far.
    package var direction: Direction
    package var codec: EncodedFrame.Codec
    package var payloadType: UInt8
    /// Nil: lost packets are sent again as they were, if at all (RFC 4588).
    package var rtxPayloadType: UInt8?
    /// Hz.
    package var clockRate: UInt32
    /// `a=fmtp` of the codec as agreed.
    package var parameters: FormatParameters
    /// Ids of the agreed header extensions by URI, each 1…14.
    package var extensionIDs: [String: UInt8]
    package var feedback: NegotiatedFeedback
    /// `a=rtcp-rsize`: compound packets may be cut short (RFC 5506).
    package var allowsReducedSizeRTCP: Bool
    /// What goes out: one stream, or the accepted simulcast layers in the order of our offer. Never empty.
    package var layers: [SentLayer]

    /// Packets bring the dependency descriptors that they have.
    package var isDescribed: Bool { extensionIDs[SentExtension.dependencyDescriptor] != nil }
}

/// RTCP feedback that both sides know.
package struct NegotiatedFeedback: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Generic NACK (RFC 4585).
    package static let nack = NegotiatedFeedback(rawValue: 1)
    /// Picture loss indication (RFC 4585).
    package static let pli = NegotiatedFeedback(rawValue: 2)
    /// Full intra request (RFC 5104).
    package static let fir = NegotiatedFeedback(rawValue: 4)
    /// Transport-wide congestion control; implies its header extension.
    package static let transportCC = NegotiatedFeedback(rawValue: 8)
    /// The receiver's estimate of what the path carries.
    package static let remb = NegotiatedFeedback(rawValue: 16)
}
