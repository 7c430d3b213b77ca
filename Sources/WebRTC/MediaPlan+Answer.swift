import Media
package import SDP

extension MediaPlan {
    /// Answers a viewer: for each kind that we send, the first section that is fit for it carries it; all others are
    /// refused with port zero and stay in their places. The session's end is up to the caller, as is ICE.
    package static func answer(
        to offer: SessionDescription, wanting capabilities: SendCapabilities, local: LocalTransport
    ) throws(MediaPlanError) -> MediaPlan {
        guard offer.hasUniqueMids else { throw .duplicateMid }
        var draft = AnswerDraft(offer: offer, capabilities: capabilities)
        for index in offer.media.indices { draft.consider(index) }
        guard !draft.sections.isEmpty else { throw draft.refusal }
        let remote = try RemoteTransport(offer, accepted: draft.sections.map(\.index))
        let role = try remote.answeringRole(isICELite: local.isICELite)
        let answer = offer.answer(
            draft.media, carrying: draft.sections.map { ($0.index, $0.mid) }, local: local,
            setup: role == .server ? .passive : .active)
        return MediaPlan(localDescription: answer, sections: draft.sections, remote: remote, dtlsRole: role)
    }
}

/// The sections of an answer as they come out one after the other.
private struct AnswerDraft {
    let offer: SessionDescription
    let capabilities: SendCapabilities
    /// Mids of the offer's bundle; nil when it has none: then only one section can live.
    private let bundle: Set<String>?
    private(set) var sections: [PlannedSection] = []
    private(set) var refusal = MediaPlanError.nothingToReceive
    private(set) var media: [MediaSection] = []

    init(offer: SessionDescription, capabilities: SendCapabilities) {
        self.offer = offer
        self.capabilities = capabilities
        self.bundle = offer.bundle.map { Set($0) }
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
    private mutating func accept(_ offered: MediaSection, _ index: Int) -> (PlannedSection, MediaSection)? {
        guard let (kind, track, layer) = track(for: offered), !sections.contains(where: { $0.kind == kind }),
            !offered.isRejected, offer.direction(of: offered).receives
        else { return nil }
        guard let mid = offered.mid, offered.isDTLSSRTP, offered.rtcpMux || offered.rtcpMuxOnly,
            bundle?.contains(mid) ?? sections.isEmpty
        else {
            if refusal == .nothingToReceive { refusal = .transportUnsupported }
            return nil
        }
        guard let choice = choice(in: offered, kind) else {
            refusal = .noCommonCodec
            return nil
        }
        let planned = plan(index, mid, kind, offered, choice, layer)
        return (planned, section(for: planned, offered, choice, track))
    }

    private func track(for offered: MediaSection) -> (MediaKind, MediaStreamID, SentLayer)? {
        switch offered.kind {
        case .audio: capabilities.audio.map { (.audio, $0.track, $0.layer) }
        case .video: capabilities.video.map { (.video, $0.track, $0.layers[0]) }
        default: nil
        }
    }

    private func choice(in offered: MediaSection, _ kind: MediaKind) -> CodecChoice? {
        switch kind {
        case .audio: capabilities.audio.flatMap { offered.choice(for: $0) }
        case .video: capabilities.video.flatMap { offered.choice(for: $0) }
        }
    }

    private func plan(
        _ index: Int, _ mid: String, _ kind: MediaKind, _ offered: MediaSection, _ choice: CodecChoice,
        _ layer: SentLayer
    ) -> PlannedSection {
        let isDescribed = kind == .video && offer.allowsMixedExtensions && capabilities.video?.codec.isScalable == true
        let extensions = offer.usableExtensions(
            of: offered, among: SentExtension.answered(kind, isDescribed: isDescribed))
        var ids = extensions.ids
        var feedback = NegotiatedFeedback(offered.feedback(for: choice.map.payloadType)).intersection(.ours(kind))
        feedback.pair(with: &ids)
        let rtx = layer.rtxSSRC != nil && feedback.contains(.nack) ? choice.rtxPayloadType : nil
        let sent = SentLayer(ssrc: layer.ssrc, rtxSSRC: rtx == nil ? nil : layer.rtxSSRC)
        return PlannedSection(
            index: index, mid: mid, kind: kind, direction: .sendonly,
            codec: kind == .audio ? .audio(.opus) : .video(capabilities.video?.codec ?? .h264),
            payloadType: choice.map.payloadType, rtxPayloadType: rtx, clockRate: choice.map.clockRate,
            parameters: choice.parameters, extensionIDs: ids, feedback: feedback,
            allowsReducedSizeRTCP: offered.rtcpReducedSize, layers: [sent])
    }

    private func section(
        for planned: PlannedSection, _ offered: MediaSection, _ choice: CodecChoice, _ track: MediaStreamID
    ) -> MediaSection {
        var section = MediaSection(planned, transportProtocol: offered.transportProtocol, map: choice.map)
        let extensions = offer.usableExtensions(of: offered, among: Array(planned.extensionIDs.keys))
        section.extensions = extensions.map {
            ExtensionMapping(id: $0.id, direction: $0.direction?.reversed, uri: $0.uri)
        }
        section.declare(planned.layers[0], track: track, cname: capabilities.cname)
        return section
    }
}

extension RemoteTransport {
    /// Our role in the answer to an offer.
    func answeringRole(isICELite: Bool) throws(MediaPlanError) -> MediaPlan.DTLSRole {
        switch setup {
        // ICE lite: the other side speaks first in ICE, so in DTLS too; otherwise RFC 8842 section 5.3 prefers active.
        case .actpass: isICELite ? .server : .client
        case .active: .server
        case .passive: .client
        case .holdconn: throw .setup
        }
    }
}

extension SessionDescription {
    /// The answer to this offer with these sections, of which those at `carried` are accepted.
    func answer(
        _ media: [MediaSection], carrying carried: [(index: Int, mid: String)], local: LocalTransport, setup: SetupRole
    ) -> SessionDescription {
        var answer = local.description()
        answer.media = media
        answer.allowsMixedExtensions = allowsMixedExtensions
        // Refused sections have no transport, yet aiortc wants to see credentials in them too.
        for index in answer.media.indices { answer.media[index].transport = local.attributes(setup: setup) }
        if let first = carried.first {
            answer.media[first.index].candidates = local.candidates
            answer.media[first.index].endOfCandidates = local.endOfCandidates
        }
        if let offered = bundle {
            let accepted = Set(carried.map(\.mid))
            answer.groups = [MediaGroup(semantics: "BUNDLE", mids: offered.filter(accepted.contains))]
        }
        return answer
    }
}
