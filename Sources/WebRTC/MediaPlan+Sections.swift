import Media
import SDP

// What answers and offers have in common.

extension SessionDescription {
    var hasUniqueMids: Bool {
        let mids = media.compactMap(\.mid)
        return Set(mids).count == mids.count
    }

    /// The extensions of a section that we may send to it, or with `isReceived` that it may send to us, each URI and each
    /// id once, the first of several.
    ///
    /// Ids above 14 need the two-byte form, which not every receiver reads in every packet (RFC 8285 section 4.1.2).
    func usableExtensions(of section: MediaSection, among uris: [String], isReceived: Bool = false)
        -> [ExtensionMapping]
    {
        var ids: Set<UInt16> = []
        var seen: Set<String> = []
        return extensions(of: section).filter { mapping in
            (1...14).contains(mapping.id)
                && (isReceived ? mapping.direction?.sends : mapping.direction?.receives) ?? true
                && uris.contains(mapping.uri)
                && !ids.contains(mapping.id) && !seen.contains(mapping.uri)
                && ids.insert(mapping.id).inserted && seen.insert(mapping.uri).inserted
        }
    }
}

extension [ExtensionMapping] {
    /// Ids by URI; ids are below 256 and URIs differ.
    var ids: [String: UInt8] {
        Dictionary(uniqueKeysWithValues: map { ($0.uri, UInt8(truncatingIfNeeded: $0.id)) })
    }
}

extension NegotiatedFeedback {
    /// Transport-wide congestion control needs feedback and extension; one without the other goes.
    mutating func pair(with ids: inout [String: UInt8]) {
        if ids[SentExtension.transportCC] == nil { remove(.transportCC) }
        if !contains(.transportCC) { ids[SentExtension.transportCC] = nil }
    }
}

extension MediaSection {
    /// RTP over DTLS: the names of RFC 8829 section 5.1.2, all of which mean the same.
    var isDTLSSRTP: Bool {
        switch transportProtocol {
        case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP", "RTP/SAVPF",
            "RTP/SAVP":
            true
        default: false
        }
    }

    /// Codec, feedback and flags of a section of ours; extensions, transport and sources are left to the caller.
    init(_ planned: PlannedSection, transportProtocol: String, map: RTPMap) {
        let rtx = planned.rtxPayloadType
        self.init(
            kind: planned.kind == .audio ? .audio : .video, port: 9, transportProtocol: transportProtocol,
            formats: ([planned.payloadType] + (rtx.map { [$0] } ?? [])).map(String.init))
        connection = "IN IP4 0.0.0.0"
        mid = planned.mid
        direction = planned.direction
        rtcpMux = true
        rtcpReducedSize = planned.allowsReducedSizeRTCP
        rtpmaps = [map]
        feedback = planned.feedback.lines(payloadType: planned.payloadType)
        formatParameters = planned.parameters.parameters.isEmpty ? [] : [planned.parameters]
        if let rtx {
            rtpmaps.append(RTPMap(payloadType: rtx, name: "rtx", clockRate: planned.clockRate))
            formatParameters.append(.rtx(payloadType: rtx, for: planned.payloadType))
        }
    }

    /// A refused section (RFC 8829 section 5.3.1): port zero, and its first format because there must be one.
    static func refusal(of offered: MediaSection) -> MediaSection {
        var section = MediaSection(
            kind: offered.kind, port: 0, transportProtocol: offered.transportProtocol,
            formats: Array(offered.formats.prefix(1)))
        section.connection = "IN IP4 0.0.0.0"
        section.mid = offered.mid
        section.direction = .inactive
        section.rtpmaps = section.payloadTypes.compactMap { offered.rtpmap(for: $0) }
        return section
    }

    /// Lines for one stream without rid: its SSRC, the one of its retransmissions, and the track they belong to.
    mutating func declare(_ layer: SentLayer, track: MediaStreamID, cname: String) {
        msids = [track]
        if let rtx = layer.rtxSSRC { ssrcGroups = [SSRCGroup(semantics: "FID", ssrcs: [layer.ssrc, rtx])] }
        let msid = track.track.map { track.stream + " " + $0 } ?? track.stream
        for ssrc in [layer.ssrc, layer.rtxSSRC].compactMap(\.self) {
            ssrcs.append(SSRCAttribute(ssrc: ssrc, name: "cname", value: cname))
            ssrcs.append(SSRCAttribute(ssrc: ssrc, name: "msid", value: msid))
        }
    }
}
