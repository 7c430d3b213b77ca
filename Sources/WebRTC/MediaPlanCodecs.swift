import Bytes
import Media
import SDP

/// profile-level-id of H.264 (RFC 6184 section 8.1): three bytes of the sequence parameter set.
package struct H264ProfileLevel: Hashable, Sendable {
    /// 66 baseline, 77 main, 100 high, …
    package var profileIDC: UInt8
    /// constraint_set0_flag is the highest bit.
    package var constraints: UInt8
    /// Ten times the level.
    package var levelIDC: UInt8

    package init(profileIDC: UInt8, constraints: UInt8, levelIDC: UInt8) {
        self.profileIDC = profileIDC
        self.constraints = constraints
        self.levelIDC = levelIDC
    }

    /// Six hexadecimal digits.
    package init?(_ text: String) {
        guard let bytes = [UInt8](hex: text), bytes.count == 3 else { return nil }
        self.init(profileIDC: bytes[0], constraints: bytes[1], levelIDC: bytes[2])
    }

    /// 42e01f, which every WebRTC endpoint knows (RFC 7742 section 6.2).
    package static let constrainedBaseline31 = H264ProfileLevel(profileIDC: 0x42, constraints: 0xE0, levelIDC: 0x1F)
    /// What holds when the parameter is missing (RFC 6184 section 8.1).
    static let unstated = H264ProfileLevel(profileIDC: 0x42, constraints: 0, levelIDC: 0x0A)

    package var text: String { String(hex: [profileIDC, constraints, levelIDC]) }

    /// How well a decoder of `offered` suits a stream of this profile: 0 is best, nil is not at all.
    func distance(to offered: H264ProfileLevel, allowsAsymmetry: Bool) -> Int? {
        if offered.profileIDC == profileIDC {
            // constraint_set1 tells constrained baseline from baseline; 42e0, 42c0 and 4240 are one profile.
            return (offered.constraints ^ constraints) & 0x40 == 0 ? 0 : 1
        }
        // Decoders of richer profiles read plainer streams, and what goes the other way does not concern us.
        guard allowsAsymmetry, let ours = rank, let theirs = offered.rank, theirs > ours else { return nil }
        return 2
    }

    /// Profiles from plain to rich; nil for those without a place in that order.
    private var rank: Int? {
        switch profileIDC {
        case 66: 0
        case 77: 1
        case 100: 2
        case 110, 122, 244: 3
        default: nil
        }
    }
}

/// A payload type that carries a codec of ours.
struct CodecChoice: Equatable {
    var map: RTPMap
    /// `a=fmtp` for our description.
    var parameters: FormatParameters
    var rtxPayloadType: UInt8?
}

extension MediaSection {
    /// The payload type for Opus: the first one (RFC 7587).
    func choice(for audio: SentAudio) -> CodecChoice? {
        let maps = payloadTypes.lazy.compactMap { rtpmap(for: $0) }
        guard let map = maps.first(where: { $0.matches("opus", clockRate: 48_000) && $0.channels == 2 }) else {
            return nil
        }
        return CodecChoice(map: map, parameters: .opus(payloadType: map.payloadType, isStereo: audio.isStereo))
    }

    /// The best payload type for the video, the first one of several as good, with the one for its retransmissions.
    func choice(for video: SentVideo) -> CodecChoice? {
        var best: (distance: Int, map: RTPMap, parameters: FormatParameters)?
        for map in payloadTypes.compactMap({ rtpmap(for: $0) }) {
            guard let (distance, parameters) = suitability(of: map, for: video) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (distance, map, parameters) }
        }
        guard let best else { return nil }
        return CodecChoice(
            map: best.map, parameters: best.parameters, rtxPayloadType: rtxPayloadType(for: best.map.payloadType))
    }

    private func suitability(of map: RTPMap, for video: SentVideo) -> (distance: Int, parameters: FormatParameters)? {
        guard let name = video.codec.sentName, map.matches(name, clockRate: 90_000) else { return nil }
        guard video.codec == .h264 else {
            let offered = parameters(for: map.payloadType)
            guard video.isDecoded(by: offered) else { return nil }
            let echo = offered?.parameters.filter { video.codec.profileDefaults[$0.name.lowercased()] != nil } ?? []
            var answer = FormatParameters(payloadType: map.payloadType)
            answer.parameters = echo
            return (0, answer)
        }
        return suitability(ofH264: map, for: video)
    }

    private func suitability(ofH264 map: RTPMap, for video: SentVideo) -> (distance: Int, parameters: FormatParameters)?
    {
        let offered = parameters(for: map.payloadType)
        // Our packets have fragmentation units, which mode 0 forbids (RFC 6184 section 6.2).
        guard let offered, offered["packetization-mode"] == "1" else { return nil }
        let text = offered["profile-level-id"]
        let profile = text.map { H264ProfileLevel($0) } ?? .unstated
        let allowsAsymmetry = offered["level-asymmetry-allowed"] == "1"
        guard let profile, let distance = video.profile.distance(to: profile, allowsAsymmetry: allowsAsymmetry)
        else {
            return nil
        }
        let answer = FormatParameters.h264(
            payloadType: map.payloadType, profile: profile, allowsAsymmetry: allowsAsymmetry)
        return (distance, answer)
    }

    /// The payload type that we offered, when the answer has it too, whatever profile it is given there: what is sent is
    /// what was offered.
    func echo(of offered: PlannedSection, _ video: SentVideo) -> CodecChoice? {
        guard let name = video.codec.sentName, payloadTypes.contains(offered.payloadType),
            let map = rtpmap(for: offered.payloadType), map.matches(name, clockRate: 90_000)
        else { return nil }
        if video.codec == .h264, parameters(for: map.payloadType)?["packetization-mode"] != "1" { return nil }
        return CodecChoice(
            map: map, parameters: offered.parameters, rtxPayloadType: rtxPayloadType(for: offered.payloadType))
    }

    /// The rtx payload type whose `apt` is `payloadType` (RFC 4588 section 8.6).
    func rtxPayloadType(for payloadType: UInt8) -> UInt8? {
        let apt = String(payloadType)
        return payloadTypes.first { candidate in
            rtpmap(for: candidate)?.matches("rtx", clockRate: 90_000) == true
                && parameters(for: candidate)?["apt"] == apt
        }
    }
}

extension VideoCodec {
    /// In `a=rtpmap`; nil when WebRTC has no payload format for the codec.
    var sentName: String? {
        switch self {
        case .h264: "H264"
        case .hevc: "H265"
        case .av1: "AV1"
        case .vp8: "VP8"
        case .vp9: "VP9"
        default: nil
        }
    }

    /// Layers of one picture may come in one stream, told by dependency descriptors.
    var isScalable: Bool { self == .vp9 || self == .av1 }

    /// What in `a=fmtp` tells decoders apart, with what holds when it is missing (RFC 9628 section 7.2, RFC 7798 section
    /// 7.1, AV1 RTP specification section 7.2). Levels do not: a stream is sent to all who know its profile.
    fileprivate var profileDefaults: [String: String] {
        switch self {
        case .vp9: ["profile-id": "0"]
        case .av1: ["profile": "0"]
        case .hevc: ["profile-id": "1"]
        default: [:]
        }
    }
}

extension SentVideo {
    fileprivate func isDecoded(by offered: FormatParameters?) -> Bool {
        codec.profileDefaults.allSatisfy { name, value in
            (offered?[name] ?? value) == (parameters[name] ?? value)
        }
    }
}

extension FormatParameters {
    /// RFC 7587 section 6.1. `stereo` speaks of what we would receive, yet some read it as what we send.
    static func opus(payloadType: UInt8, isStereo: Bool) -> FormatParameters {
        isStereo
            ? FormatParameters(
                payloadType: payloadType, ["minptime": "10", "useinbandfec": "1", "stereo": "1", "sprop-stereo": "1"])
            : FormatParameters(payloadType: payloadType, ["minptime": "10", "useinbandfec": "1"])
    }

    static func h264(payloadType: UInt8, profile: H264ProfileLevel, allowsAsymmetry: Bool) -> FormatParameters {
        var parameters = FormatParameters(
            payloadType: payloadType, ["packetization-mode": "1", "profile-level-id": profile.text])
        if allowsAsymmetry { parameters.parameters.insert(.init(name: "level-asymmetry-allowed", value: "1"), at: 0) }
        return parameters
    }

    /// In the order of their names.
    init(payloadType: UInt8, sorting parameters: [String: String]) {
        self.init(
            payloadType: payloadType,
            parameters: parameters.sorted { $0.key < $1.key }.map { Parameter(name: $0.key, value: $0.value) })
    }

    static func rtx(payloadType: UInt8, for other: UInt8) -> FormatParameters {
        FormatParameters(payloadType: payloadType, ["apt": String(other)])
    }
}

extension NegotiatedFeedback {
    /// What we understand for each kind of media, in the order of our descriptions.
    static func ours(_ kind: MediaKind) -> NegotiatedFeedback {
        switch kind {
        case .audio: [.nack, .transportCC]
        case .video: [.nack, .pli, .fir, .transportCC]
        }
    }

    /// What we say to a publisher.
    static func received(_ kind: MediaKind) -> NegotiatedFeedback { ours(kind).union(.remb) }

    /// The known ones among `lines`.
    init(_ lines: [RTCPFeedback]) {
        self = lines.reduce(into: []) { result, line in
            for (feedback, type, parameter) in Self.names where line.type == type && line.parameter == parameter {
                result.insert(feedback)
            }
        }
    }

    func lines(payloadType: UInt8) -> [RTCPFeedback] {
        Self.names.filter { contains($0.0) }.map { RTCPFeedback(payloadType: payloadType, type: $0.1, parameter: $0.2) }
    }

    private static let names: [(NegotiatedFeedback, String, String?)] = [
        (.nack, "nack", nil), (.pli, "nack", "pli"), (.fir, "ccm", "fir"), (.transportCC, "transport-cc", nil),
        (.remb, "goog-remb", nil),
    ]
}

/// Header extensions that we can send, by URI.
enum SentExtension {
    static let mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    static let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    static let repairedRID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    static let audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    static let transportCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    static let absoluteSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    static let absoluteCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    /// Of AV1 and VP9 (AV1 RTP specification, appendix A); a room reads layers and key frames in it.
    static let dependencyDescriptor =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    static let playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

    /// Those that we take from an offer. Rids are for simulcast, which an answer of ours never sends. Dependency
    /// descriptors are sent as they came; long ones need the two-byte form, so that the offer has to allow both forms
    /// (RFC 8285 section 4.1.2).
    static func answered(_ kind: MediaKind, isDescribed: Bool = false) -> [String] {
        let common = [mid, transportCC, absoluteSendTime, absoluteCaptureTime]
        return common + (kind == .audio ? [audioLevel] : [playoutDelay]) + (isDescribed ? [dependencyDescriptor] : [])
    }

    /// Those that we offer to a room, with the ids of all sections: within a bundle one id has one meaning.
    static func offered(_ kind: MediaKind, isSimulcast: Bool, isDescribed: Bool = false) -> [ExtensionMapping] {
        let common = [ExtensionMapping(id: 4, uri: mid), ExtensionMapping(id: 5, uri: absoluteCaptureTime)]
        switch kind {
        case .audio:
            return [ExtensionMapping(id: 1, uri: audioLevel)] + common
        case .video:
            let rids = [ExtensionMapping(id: 10, uri: rid), ExtensionMapping(id: 11, uri: repairedRID)]
            let descriptor = [ExtensionMapping(id: 12, uri: dependencyDescriptor)]
            return [ExtensionMapping(id: 3, uri: transportCC)] + common + (isSimulcast ? rids : [])
                + (isDescribed ? descriptor : [])
        }
    }
}
