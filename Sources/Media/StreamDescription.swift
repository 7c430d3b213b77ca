import Bytes

extension VideoConfiguration {
    /// Pixels as shown, from the record; nil when it does not say or cannot be read. VP8, VP9 and legacy codecs say it
    /// in their key frames (`EncodedFrame.codedSize`).
    package var codedSize: VideoSize? {
        guard let record else { return nil }
        switch codec {
        case .h264: return h264Parameters?.size
        case .hevc:
            guard let unit = (try? HEVCConfiguration(record.bytes))?.units(of: .sequenceParameterSet).first else {
                return nil
            }
            return (try? HEVCSequenceParameterSet(unit.rawSpan))?.size
        case .av1:
            guard let units = (try? AV1Configuration(record.bytes))?.units else { return nil }
            return (try? AV1SequenceHeader.find(in: units.rawSpan))?.size
        default: return nil
        }
    }

    /// Codec, profile and level for people, such as "H.264 High 4.1"; without the parts that the record does not tell.
    package var profileName: String {
        let details: String? =
            switch codec {
            case .h264: h264Parameters?.profileName
            case .hevc: record.flatMap { (try? HEVCConfiguration($0.bytes))?.profileName }
            case .av1: record.flatMap { (try? AV1Configuration($0.bytes))?.profileName }
            case .vp9: record.flatMap { (try? VPConfiguration($0.bytes)).map { "profile \($0.profile)" } }
            default: nil
            }
        return details.map { codec.displayName + " " + $0 } ?? codec.displayName
    }

    /// The first sequence parameter set of an H.264 record.
    package var h264Parameters: H264SequenceParameterSet? {
        guard codec == .h264, let record,
            let unit = (try? AVCConfiguration(record.bytes))?.sequenceParameterSets.first
        else { return nil }
        return try? H264SequenceParameterSet(unit.rawSpan)
    }
}

extension AudioConfiguration {
    /// Codec, rate and channels for people, such as "AAC-LC 48000 Hz 2 ch"; without the parts that are unknown.
    package var profileName: String {
        var name = codec.displayName
        if codec == .aac, let record, let config = try? AudioSpecificConfig(record.bytes) { name = config.profileName }
        if sampleRate > 0 { name += " \(sampleRate) Hz" }
        if channels > 0 { name += " \(channels) ch" }
        return name
    }
}

extension EncodedFrame {
    /// Pixels by the key frame itself, for codecs that state them there: VP8, VP9 and AV1.
    package var codedSize: VideoSize? {
        guard isKey, case .video(let codec) = codec else { return nil }
        switch codec {
        case .vp8: return (try? VP8FrameHeader(payload.bytes))?.size
        case .vp9: return (try? VP9FrameHeader(payload.bytes))?.size
        case .av1: return (try? AV1SequenceHeader.find(in: payload.bytes))?.size
        default: return nil
        }
    }
}

extension VideoCodec {
    /// The codec's name for people.
    package var displayName: String {
        switch self {
        case .h264: "H.264"
        case .hevc: "HEVC"
        case .av1: "AV1"
        case .vp8: "VP8"
        case .vp9: "VP9"
        case .sorensonH263: "Sorenson H.263"
        case .screenVideo: "Screen Video"
        case .screenVideo2: "Screen Video 2"
        case .vp6: "VP6"
        case .vp6Alpha: "VP6 with alpha"
        }
    }
}

extension AudioCodec {
    /// The codec's name for people.
    package var displayName: String {
        switch self {
        case .aac: "AAC"
        case .opus: "Opus"
        case .mp3: "MP3"
        case .flac: "FLAC"
        case .ac3: "AC-3"
        case .eac3: "E-AC-3"
        case .pcmALaw: "G.711 A-law"
        case .pcmMuLaw: "G.711 mu-law"
        case .g722: "G.722"
        case .pcmS16LE: "PCM 16 bit"
        case .pcmU8: "PCM 8 bit"
        case .adpcm: "ADPCM"
        case .nellymoser: "Nellymoser"
        case .speex: "Speex"
        }
    }
}

extension H264SequenceParameterSet {
    /// Profile and level for people, such as "Constrained Baseline 3.1" (ITU-T H.264 annex A).
    package var profileName: String {
        func isSet(_ flag: UInt8) -> Bool { constraintFlags & (0x80 >> flag) != 0 }
        let profile =
            switch profileIDC {
            case 66: isSet(1) ? "Constrained Baseline" : "Baseline"
            case 77: "Main"
            case 88: "Extended"
            case 100: isSet(4) && isSet(5) ? "Constrained High" : (isSet(4) ? "Progressive High" : "High")
            case 110: isSet(3) ? "High 10 Intra" : "High 10"
            case 122: isSet(3) ? "High 4:2:2 Intra" : "High 4:2:2"
            case 244: isSet(3) ? "High 4:4:4 Intra" : "High 4:4:4 Predictive"
            case 44: "CAVLC 4:4:4 Intra"
            default: "profile \(profileIDC)"
            }
        let is1b = levelIDC == 9 || (levelIDC == 11 && isSet(3) && profileIDC < 100)
        return profile + " " + (is1b ? "1b" : "\(levelIDC / 10).\(levelIDC % 10)")
    }
}

extension HEVCConfiguration {
    /// Profile, level and tier for people, such as "Main 10 4.1 high tier" (ITU-T H.265 annex A).
    package var profileName: String {
        let name =
            switch profile {
            case 1: "Main"
            case 2: "Main 10"
            case 3: "Main Still Picture"
            case 4: "Range Extensions"
            default: "profile \(profile)"
            }
        return name + " \(level / 30).\(level % 30 / 3)" + (isHighTier ? " high tier" : "")
    }
}

extension AV1Configuration {
    /// Profile, level and tier for people, such as "Main 4.0".
    package var profileName: String {
        let name = ["Main", "High", "Professional"][Int(min(profile, 2))]
        // 31 means that no level bounds the stream.
        let level = levelIndex == 31 ? "" : " \(2 + (levelIndex >> 2)).\(levelIndex & 3)"
        return name + level + (isHighTier ? " high tier" : "")
    }
}

extension AudioSpecificConfig {
    /// The profile for people, such as "AAC-LC".
    package var profileName: String {
        if hasParametricStereo { return "HE-AAC v2" }
        if extensionSampleRate != nil { return "HE-AAC" }
        switch objectType {
        case 1: return "AAC Main"
        case 2: return "AAC-LC"
        case 3: return "AAC SSR"
        case 4: return "AAC LTP"
        case 17: return "ER AAC-LC"
        case 23: return "AAC-LD"
        case 39: return "AAC-ELD"
        case 42: return "USAC"
        default: return "AAC type \(objectType)"
        }
    }
}
