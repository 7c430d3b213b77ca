package import Media
package import SDP

/// What we are ready to receive from a publisher.
package struct ReceiveCapabilities: Equatable, Sendable {
    package var videoCodecs: Set<VideoCodec>
    package var audioCodecs: Set<AudioCodec>

    package init(
        videoCodecs: Set<VideoCodec> = [.h264, .hevc, .vp8, .vp9, .av1],
        audioCodecs: Set<AudioCodec> = [.opus, .pcmALaw, .pcmMuLaw, .g722]
    ) {
        self.videoCodecs = videoCodecs
        self.audioCodecs = audioCodecs
    }
}

/// The outcome of a publisher's offer and our answer: one audio and one video section at most.
package struct ReceivePlan: Equatable, Sendable {
    /// Our answer, ready to send.
    package var localDescription: SessionDescription
    /// The sections that carry media, in the order of the descriptions. Never empty.
    package var sections: [ReceivedSection]
    package var remote: RemoteTransport
    /// Ours.
    package var dtlsRole: MediaPlan.DTLSRole
}

/// One section that carries media to us.
package struct ReceivedSection: Equatable, Sendable {
    /// Position among the `m=` lines, from 0.
    package var index: Int
    package var mid: String
    package var codec: EncodedFrame.Codec
    package var payloadType: UInt8
    package var payloads: SupportingPayloads
    /// Hz, of RTP timestamps.
    package var clockRate: UInt32
    /// Of sound, as `a=rtpmap` and `a=fmtp` tell; 0 for pictures.
    package var channels: Int
    /// `a=fmtp` of the codec as agreed.
    package var parameters: FormatParameters
    /// Ids of the agreed header extensions by URI, each 1…14.
    package var extensionIDs: [String: UInt8]
    package var feedback: NegotiatedFeedback
    /// `a=rtcp-rsize`: compound packets may be cut short (RFC 5506).
    package var allowsReducedSizeRTCP: Bool
    /// Rids of the simulcast streams, in the order of the offer; empty when there is one stream.
    package var streamIDs: [String]
    /// What the offer says of the publisher's sources; often nothing.
    package var sources: AnnouncedSources

    package var kind: MediaKind {
        switch codec {
        case .audio: .audio
        case .video: .video
        }
    }

    /// Payload types that repair or wrap the section's media; nil where not agreed.
    package struct SupportingPayloads: Equatable, Sendable {
        /// RFC 4588, of the codec's payload type.
        package var rtx: UInt8?
        /// RFC 2198.
        package var red: UInt8?
        /// RFC 5109.
        package var ulpfec: UInt8?

        package init(rtx: UInt8? = nil, red: UInt8? = nil, ulpfec: UInt8? = nil) {
            self.rtx = rtx
            self.red = red
            self.ulpfec = ulpfec
        }
    }

    /// `a=ssrc` and `a=ssrc-group:FID` (RFC 5576).
    package struct AnnouncedSources: Equatable, Sendable {
        /// Of media, without those of retransmissions.
        package var media: [UInt32]
        /// By the source whose packets they repeat.
        package var retransmissions: [UInt32: UInt32]

        package init(media: [UInt32] = [], retransmissions: [UInt32: UInt32] = [:]) {
            self.media = media
            self.retransmissions = retransmissions
        }
    }
}

extension ReceivePlan {
    /// Simulcast streams of one section: LiveKit's rooms know three qualities.
    package static let maxStreams = 3

    /// Answers a publisher: the first section of each kind that is fit for it is taken; all others are refused with
    /// port zero and stay in their places. The codec is the first one of the publisher's order that we know.
    package static func answer(
        to offer: SessionDescription, accepting capabilities: ReceiveCapabilities, local: LocalTransport
    ) throws(MediaPlanError) -> ReceivePlan {
        guard offer.hasUniqueMids else { throw .duplicateMid }
        var draft = ReceiveDraft(offer: offer, capabilities: capabilities)
        for index in offer.media.indices { draft.consider(index) }
        guard !draft.sections.isEmpty else { throw draft.refusal }
        let remote = try RemoteTransport(offer, accepted: draft.sections.map(\.index))
        let role = try remote.answeringRole(isICELite: local.isICELite)
        let answer = offer.answer(
            draft.media, carrying: draft.sections.map { ($0.index, $0.mid) }, local: local,
            setup: role == .server ? .passive : .active)
        return ReceivePlan(
            localDescription: answer, sections: draft.sections, remote: remote, dtlsRole: role)
    }
}

/// The sections of an answer as they come out one after the other.
private struct ReceiveDraft {
    let offer: SessionDescription
    let capabilities: ReceiveCapabilities
    private let bundle: Set<String>?
    private(set) var sections: [ReceivedSection] = []
    private(set) var media: [MediaSection] = []
    private(set) var refusal = MediaPlanError.nothingToSend

    init(offer: SessionDescription, capabilities: ReceiveCapabilities) {
        self.offer = offer
        self.capabilities = capabilities
        bundle = offer.bundle.map { Set($0) }
    }

    mutating func consider(_ index: Int) {
        let offered = offer.media[index]
        if let (planned, section) = accept(offered, index) {
            sections.append(planned)
            media.append(section)
        } else {
            media.append(.refusal(of: offered))
        }
    }

    /// Nil: the section is refused; the reason that says most is kept.
    private mutating func accept(_ offered: MediaSection, _ index: Int) -> (ReceivedSection, MediaSection)? {
        guard offered.kind == .audio || offered.kind == .video, !offered.isRejected,
            offer.direction(of: offered).sends
        else { return nil }
        let kind: MediaKind = offered.kind == .audio ? .audio : .video
        guard !sections.contains(where: { $0.kind == kind }) else { return nil }
        guard let mid = offered.mid, offered.isDTLSSRTP, offered.rtcpMux || offered.rtcpMuxOnly,
            bundle?.contains(mid) ?? sections.isEmpty
        else {
            if refusal == .nothingToSend { refusal = .transportUnsupported }
            return nil
        }
        guard let choice = offered.received(among: capabilities) else {
            refusal = .noCommonCodec
            return nil
        }
        let planned = plan(index, mid, offered, choice)
        return (planned, section(for: planned, offered, choice.map))
    }

    private func plan(
        _ index: Int, _ mid: String, _ offered: MediaSection, _ choice: ReceivedCodec
    ) -> ReceivedSection {
        let payloadType = choice.map.payloadType
        let kind: MediaKind = offered.kind == .audio ? .audio : .video
        let known = ReceivedExtension.answered(choice.codec, isDescribed: offer.allowsMixedExtensions)
        var ids = offer.usableExtensions(of: offered, among: known, isReceived: true).ids
        var feedback = NegotiatedFeedback(offered.feedback(for: payloadType)).intersection(.received(kind))
        feedback.pair(with: &ids)
        // One way of telling the sender what the path carries is enough.
        if feedback.contains(.transportCC) { feedback.remove(.remb) }
        return ReceivedSection(
            index: index, mid: mid, codec: choice.codec, payloadType: payloadType,
            payloads: offered.supportingPayloads(of: payloadType, kind, hasNack: feedback.contains(.nack)),
            clockRate: choice.map.clockRate, channels: choice.channels, parameters: choice.parameters,
            extensionIDs: ids, feedback: feedback, allowsReducedSizeRTCP: offered.rtcpReducedSize,
            streamIDs: ids[SentExtension.rid] == nil ? [] : offered.sentStreams(at: ReceivePlan.maxStreams),
            sources: offered.announcedSources)
    }

    private func section(for planned: ReceivedSection, _ offered: MediaSection, _ map: RTPMap) -> MediaSection {
        let payloads = planned.payloads
        let types = [planned.payloadType, payloads.rtx, payloads.red, payloads.ulpfec].compactMap(\.self)
        let inOffersOrder = offered.payloadTypes.filter(types.contains)
        var section = MediaSection(
            kind: offered.kind, port: 9, transportProtocol: offered.transportProtocol,
            formats: inOffersOrder.map(String.init))
        section.connection = "IN IP4 0.0.0.0"
        section.mid = planned.mid
        section.direction = .recvonly
        section.rtcpMux = true
        section.rtcpReducedSize = planned.allowsReducedSizeRTCP
        section.rtpmaps = inOffersOrder.compactMap { offered.rtpmap(for: $0) }
        section.feedback = planned.feedback.lines(payloadType: planned.payloadType)
        section.formatParameters = inOffersOrder.compactMap { type in
            type == planned.payloadType ? planned.parameters : offered.parameters(for: type)
        }.filter { !$0.parameters.isEmpty }
        section.extensions = offer.usableExtensions(
            of: offered, among: Array(planned.extensionIDs.keys), isReceived: true
        ).map { ExtensionMapping(id: $0.id, direction: $0.direction?.reversed, uri: $0.uri) }
        if !planned.streamIDs.isEmpty {
            section.rids = planned.streamIDs.map { RestrictionID(id: $0, direction: .recv) }
            section.simulcast = Simulcast(receive: planned.streamIDs.map { [.init(rid: $0)] })
        }
        return section
    }
}

/// Header extensions that a publisher's packets are read for.
private enum ReceivedExtension {
    static func answered(_ codec: EncodedFrame.Codec, isDescribed: Bool) -> [String] {
        let common = [SentExtension.mid, SentExtension.transportCC, SentExtension.absoluteCaptureTime]
        switch codec {
        case .audio: return common + [SentExtension.audioLevel]
        case .video(let codec):
            let descriptor = isDescribed && codec.isScalable ? [SentExtension.dependencyDescriptor] : []
            return common + [SentExtension.rid, SentExtension.repairedRID] + descriptor
        }
    }
}
