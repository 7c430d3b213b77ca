import Media
import SDP

/// A payload type of a publisher's that we can take.
struct ReceivedCodec: Equatable {
    var codec: EncodedFrame.Codec
    var map: RTPMap
    /// `a=fmtp` for our answer.
    var parameters: FormatParameters
    var channels: Int
}

extension MediaSection {
    /// The first payload type of the publisher's order that carries a codec of ours. One audio codec of a fixed payload
    /// type needs no rtpmap (RFC 3551 section 6).
    func received(among capabilities: ReceiveCapabilities) -> ReceivedCodec? {
        for payloadType in payloadTypes {
            guard let map = rtpmap(for: payloadType) ?? RTPMap(fixed: payloadType) else { continue }
            let received = kind == .audio ? receivedAudio(map, capabilities) : receivedVideo(map, capabilities)
            if let received { return received }
        }
        return nil
    }

    private func receivedAudio(_ map: RTPMap, _ capabilities: ReceiveCapabilities) -> ReceivedCodec? {
        let known: [(AudioCodec, String, UInt32)] = [
            (.opus, "opus", 48_000), (.pcmMuLaw, "PCMU", 8_000), (.pcmALaw, "PCMA", 8_000), (.g722, "G722", 8_000),
        ]
        guard let (codec, _, _) = known.first(where: { map.matches($0.1, clockRate: $0.2) }),
            capabilities.audioCodecs.contains(codec)
        else { return nil }
        let offered = parameters(for: map.payloadType)
        guard codec == .opus else {
            return ReceivedCodec(
                codec: .audio(codec), map: map, parameters: FormatParameters(payloadType: map.payloadType),
                channels: Int(map.channels ?? 1))
        }
        // `stereo` says what we like to receive (RFC 7587 section 6.1): whatever the publisher has. Chrome reads it
        // before it encodes in stereo at all.
        let isMono = offered?["sprop-stereo"] == "0"
        let answer = FormatParameters(
            payloadType: map.payloadType,
            isMono
                ? ["minptime": "10", "useinbandfec": "1"]
                : ["minptime": "10", "useinbandfec": "1", "stereo": "1"])
        return ReceivedCodec(codec: .audio(.opus), map: map, parameters: answer, channels: isMono ? 1 : 2)
    }

    private func receivedVideo(_ map: RTPMap, _ capabilities: ReceiveCapabilities) -> ReceivedCodec? {
        let known: [(VideoCodec, String)] = [
            (.h264, "H264"), (.hevc, "H265"), (.vp8, "VP8"), (.vp9, "VP9"), (.av1, "AV1"),
        ]
        guard let (codec, _) = known.first(where: { map.matches($0.1, clockRate: 90_000) }),
            capabilities.videoCodecs.contains(codec)
        else { return nil }
        let offered = parameters(for: map.payloadType)
        var answer = FormatParameters(payloadType: map.payloadType)
        switch codec {
        case .h264:
            // Interleaved packets (mode 2) may come in any order of decoding.
            guard ["0", "1"].contains(offered?["packetization-mode"] ?? "0") else { return nil }
            answer.parameters =
                offered?.echo(
                    ["level-asymmetry-allowed", "packetization-mode", "profile-level-id"]) ?? []
        case .hevc:
            answer.parameters = offered?.echo(["level-id", "profile-id", "tier-flag", "tx-mode"]) ?? []
        case .vp9: answer.parameters = offered?.echo(["profile-id"]) ?? []
        case .av1: answer.parameters = offered?.echo(["level-idx", "profile", "tier"]) ?? []
        default: break
        }
        return ReceivedCodec(codec: .video(codec), map: map, parameters: answer, channels: 0)
    }

    /// Retransmissions are taken where they are offered. Redundancy is what those have who offer no retransmissions,
    /// or sound.
    func supportingPayloads(
        of payloadType: UInt8, _ kind: MediaKind, hasNack: Bool
    ) -> ReceivedSection.SupportingPayloads {
        var result = ReceivedSection.SupportingPayloads()
        guard let clockRate = rtpmap(for: payloadType)?.clockRate else { return result }
        if hasNack { result.rtx = rtxPayloadType(for: payloadType) }
        guard result.rtx == nil else { return result }
        func first(_ name: String) -> UInt8? {
            payloadTypes.first { rtpmap(for: $0)?.matches(name, clockRate: clockRate) == true }
        }
        result.red = first("red")
        if kind == .video { result.ulpfec = first("ulpfec") }
        return result
    }

    /// The rids of the simulcast streams that the offer sends, the first alternative of each, `limit` at most.
    func sentStreams(at limit: Int) -> [String] {
        let described = Set(rids.filter { $0.direction == .send }.map(\.id))
        let streams = simulcast?.send.compactMap { $0.first?.rid } ?? []
        let usable = streams.filter { described.contains($0) && (1...16).contains($0.utf8.count) }
        var seen: Set<String> = []
        return Array(usable.filter { seen.insert($0).inserted }.prefix(limit))
    }

    var announcedSources: ReceivedSection.AnnouncedSources {
        var result = ReceivedSection.AnnouncedSources()
        for group in ssrcGroups where group.semantics == "FID" && group.ssrcs.count == 2 {
            result.retransmissions[group.ssrcs[0]] = group.ssrcs[1]
        }
        let repeated = Set(result.retransmissions.values)
        for source in ssrcs where !result.media.contains(source.ssrc) && !repeated.contains(source.ssrc) {
            result.media.append(source.ssrc)
        }
        return result
    }
}

extension FormatParameters {
    /// Those of `names` that stand here, in the order of the line.
    fileprivate func echo(_ names: [String]) -> [Parameter] {
        parameters.filter { names.contains($0.name.lowercased()) }
    }
}

extension RTPMap {
    /// The payload types of RFC 3551 section 6 that we know.
    init?(fixed payloadType: UInt8) {
        switch payloadType {
        case 0: self.init(payloadType: 0, name: "PCMU", clockRate: 8_000)
        case 8: self.init(payloadType: 8, name: "PCMA", clockRate: 8_000)
        case 9: self.init(payloadType: 9, name: "G722", clockRate: 8_000)
        default: return nil
        }
    }
}
