import Media
package import SDP

/// Our offer to a room, waiting for its answer.
package struct MediaOffer: Equatable, Sendable {
    package var description: SessionDescription
    /// All that was offered.
    package var sections: [PlannedSection]
    private let capabilities: SendCapabilities
}

extension MediaOffer {
    /// Offers to publish: audio, then video, both sendonly, one codec each. Audio and single video streams declare
    /// their SSRC; simulcast layers go by rid alone.
    ///
    /// Nothing to send makes an offer without sections.
    package init(publishing capabilities: SendCapabilities, local: LocalTransport) {
        self.capabilities = capabilities
        description = local.description()
        sections = []
        if let audio = capabilities.audio {
            let parameters = FormatParameters.opus(payloadType: PayloadTypes.opus, isStereo: audio.isStereo)
            let map = RTPMap(payloadType: PayloadTypes.opus, name: "opus", clockRate: 48_000, channels: 2)
            append(.audio, .audio(.opus), map, parameters, [audio.layer], audio.track)
        }
        if let video = capabilities.video {
            let payloadType = PayloadTypes.main(video.codec)
            let map = RTPMap(payloadType: payloadType, name: video.codec.sentName ?? "", clockRate: 90_000)
            let parameters =
                video.codec == .h264
                ? FormatParameters.h264(payloadType: payloadType, profile: video.profile, allowsAsymmetry: true)
                : FormatParameters(payloadType: payloadType, sorting: video.parameters)
            append(.video, .video(video.codec), map, parameters, video.layers, video.track, video.isDescribed)
            description.allowsMixedExtensions = video.isDescribed
        }
        for index in description.media.indices {
            description.media[index].transport = local.attributes(setup: .actpass)
        }
        if !sections.isEmpty {
            description.media[0].candidates = local.candidates
            description.media[0].endOfCandidates = local.endOfCandidates
            description.groups = [MediaGroup(semantics: "BUNDLE", mids: sections.map(\.mid))]
        }
    }

    private mutating func append(
        _ kind: MediaKind, _ codec: EncodedFrame.Codec, _ map: RTPMap, _ parameters: FormatParameters,
        _ layers: [SentLayer], _ track: MediaStreamID, _ isDescribed: Bool = false
    ) {
        let extensions = SentExtension.offered(kind, isSimulcast: layers.count > 1, isDescribed: isDescribed)
        let hasRTX = layers.contains { $0.rtxSSRC != nil }
        let planned = PlannedSection(
            index: sections.count, mid: String(sections.count), kind: kind, direction: .sendonly, codec: codec,
            payloadType: map.payloadType, rtxPayloadType: hasRTX ? map.payloadType + 1 : nil, clockRate: map.clockRate,
            parameters: parameters, extensionIDs: extensions.ids,
            feedback: kind == .audio ? .nack : .ours(.video), allowsReducedSizeRTCP: true, layers: layers)
        var section = MediaSection(planned, transportProtocol: "UDP/TLS/RTP/SAVPF", map: map)
        section.extensions = extensions
        if layers.count > 1 {
            let rids = layers.compactMap(\.rid)
            section.msids = [track]
            section.rids = rids.map { RestrictionID(id: $0, direction: .send) }
            section.simulcast = Simulcast(send: rids.map { [Simulcast.Alternative(rid: $0)] })
        } else {
            section.declare(layers[0], track: track, cname: capabilities.cname)
        }
        sections.append(planned)
        description.media.append(section)
    }
}

extension MediaOffer {
    /// What the answer accepted. Sections that it refuses or will not receive are left out, as are simulcast layers.
    ///
    /// An answer without `a=simulcast` takes one stream: the highest layer, without its rid (RFC 8853 section 5.3.2).
    package func apply(answer: SessionDescription) throws(MediaPlanError) -> MediaPlan {
        guard answer.media.count == sections.count, answer.hasUniqueMids else { throw .sectionsDiffer }
        var accepted: [PlannedSection] = []
        var refusal = MediaPlanError.everythingRefused
        for (offered, section) in zip(sections, answer.media) {
            guard section.kind == (offered.kind == .audio ? .audio : .video), section.mid ?? offered.mid == offered.mid
            else {
                throw .sectionsDiffer
            }
            if section.isRejected || !answer.direction(of: section).receives { continue }
            guard section.isDTLSSRTP, section.rtcpMux || section.rtcpMuxOnly,
                answer.bundle?.contains(offered.mid) ?? accepted.isEmpty
            else {
                refusal = .transportUnsupported
                continue
            }
            if let planned = agree(offered, section, answer) {
                accepted.append(planned)
            } else {
                refusal = .noCommonCodec
            }
        }
        guard !accepted.isEmpty else { throw refusal }
        let remote = try RemoteTransport(answer, accepted: accepted.map(\.index))
        guard remote.setup == .active || remote.setup == .passive else { throw .setup }
        return MediaPlan(
            localDescription: description, sections: accepted, remote: remote,
            dtlsRole: remote.setup == .active ? .server : .client)
    }

    /// Nil when the answer has none of our codecs, or none of our layers.
    private func agree(
        _ offered: PlannedSection, _ section: MediaSection, _ answer: SessionDescription
    ) -> PlannedSection? {
        let choice: CodecChoice? =
            switch offered.kind {
            case .audio: capabilities.audio.flatMap { section.choice(for: $0) }
            case .video: capabilities.video.flatMap { section.choice(for: $0) ?? section.echo(of: offered, $0) }
            }
        guard let choice else { return nil }
        var planned = offered
        // The answer names the payload types that its side wants to see (RFC 3264 section 6.1); mostly they are ours.
        planned.payloadType = choice.map.payloadType
        planned.parameters = choice.parameters
        let theirs = answer.usableExtensions(of: section, among: Array(offered.extensionIDs.keys))
        planned.extensionIDs = offered.extensionIDs.filter { uri, id in
            theirs.contains { $0.uri == uri && $0.id == UInt16(id) }
        }
        planned.feedback.formIntersection(NegotiatedFeedback(section.feedback(for: choice.map.payloadType)))
        planned.feedback.pair(with: &planned.extensionIDs)
        planned.rtxPayloadType =
            offered.rtxPayloadType != nil && planned.feedback.contains(.nack) ? choice.rtxPayloadType : nil
        planned.allowsReducedSizeRTCP = section.rtcpReducedSize
        planned.layers = layers(offered, section)
        if planned.rtxPayloadType == nil {
            for index in planned.layers.indices { planned.layers[index].rtxSSRC = nil }
        }
        return planned.layers.isEmpty ? nil : planned
    }

    private func layers(_ offered: PlannedSection, _ section: MediaSection) -> [SentLayer] {
        guard offered.layers.count > 1 else { return offered.layers }
        guard let simulcast = section.simulcast else {
            return offered.layers.suffix(1).map { SentLayer(ssrc: $0.ssrc, rtxSSRC: $0.rtxSSRC) }
        }
        let rids = Set(simulcast.receive.joined().map(\.rid))
        return offered.layers.filter { $0.rid.map(rids.contains) ?? false }
    }
}

/// Payload types of our offers: those that a LiveKit server uses itself, so that they stay the same throughout.
private enum PayloadTypes {
    static let opus: UInt8 = 111

    /// The next number is that of its retransmissions.
    static func main(_ codec: VideoCodec) -> UInt8 {
        switch codec {
        case .h264: 108
        case .vp9: 98
        case .av1: 35
        case .hevc: 116
        default: 96
        }
    }
}
