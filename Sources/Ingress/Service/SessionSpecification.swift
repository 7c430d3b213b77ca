package import LiveKitProtocol
package import Transcode

/// What an `IngressInfo` asks for, checked and with all defaults filled in.
///
/// The rules and texts are those that livekit-server applies when an ingress is made; they are applied again because records may be
/// older than the rules.
package struct SessionSpecification: Equatable, Sendable {
    package var ladder: LadderSpec
    package var audio: AudioSpec
    package var video: TrackNaming
    package var sound: TrackNaming

    /// A track as subscribers see it.
    package struct TrackNaming: Equatable, Sendable {
        package var name: String
        package var source: Livekit_TrackSource
    }

    package init(_ info: Livekit_IngressInfo) throws(IngressError) {
        try Self.checkRoom(info)
        try Self.checkTranscoding(info)
        ladder = try Self.ladder(info.video)
        audio = try Self.audio(info.audio)
        guard [.unknown, .camera, .screenShare].contains(info.video.source) else {
            throw .invalidVideo("invalid track source")
        }
        guard [.unknown, .microphone, .screenShareAudio].contains(info.audio.source) else {
            throw .invalidAudio("invalid track source")
        }
        video = TrackNaming(
            name: info.video.name, source: info.video.source == .unknown ? .camera : info.video.source)
        sound = TrackNaming(
            name: info.audio.name, source: info.audio.source == .unknown ? .microphone : info.audio.source)
    }

    private static func checkRoom(_ info: Livekit_IngressInfo) throws(IngressError) {
        guard !info.roomName.isEmpty else { throw .invalidIngress("no room name") }
        switch info.inputType {
        case .rtmpInput, .whipInput:
            guard !info.streamKey.isEmpty else { throw .invalidIngress("no stream key") }
        case .urlInput:
            guard !info.url.isEmpty else { throw .invalidIngress("no source URL") }
        case .UNRECOGNIZED: throw .invalidIngress("unsupported input type")
        }
        guard !info.participantIdentity.isEmpty else { throw .invalidIngress("no participant identity") }
    }

    private static func checkTranscoding(_ info: Livekit_IngressInfo) throws(IngressError) {
        guard info.inputType != .whipInput else {
            guard !info.isTranscoded else { return }
            guard info.video.encodingOptions == nil, info.audio.encodingOptions == nil else {
                throw .invalidBypass("video and audio encoding options must be empty if transcoding is disabled")
            }
            return
        }
        guard info.isTranscoded, !info.bypassTranscoding else {
            throw .invalidBypass("bypassing transcoding impossible with selected input type")
        }
    }

    // MARK: - Video

    private static func ladder(_ video: Livekit_IngressVideoOptions) throws(IngressError) -> LadderSpec {
        switch video.encodingOptions {
        case nil: return LadderSpec(preset: .h264_720p30Layers3)
        case .preset(let preset):
            guard let preset = LadderSpec.Preset(rawValue: preset.rawValue) else {
                throw .invalidVideo("invalid preset")
            }
            return LadderSpec(preset: preset)
        case .options(let options): return try ladder(options)
        }
    }

    private static func ladder(_ options: Livekit_IngressVideoEncodingOptions) throws(IngressError) -> LadderSpec {
        guard options.frameRate >= 0, options.frameRate.isFinite else { throw .invalidVideo("invalid framerate") }
        let codec: LadderCodec =
            switch options.videoCodec {
            case .defaultVc, .h264Baseline: .h264
            case .vp8: .vp8
            default: throw .invalidVideo("video codec unsupported")
            }
        let frameRate = options.frameRate == 0 ? 30 : options.frameRate
        let layers = try layers(options, frameRate)
        do throws(TranscodeError) {
            guard !layers.isEmpty else {
                return try LadderSpec.defaultLayers(codec: codec, maxFrameRate: frameRate)
            }
            return try LadderSpec(codec: codec, maxFrameRate: frameRate, layers: layers)
        } catch {
            throw .invalidVideo(sentence(error))
        }
    }

    private static func sentence(_ error: TranscodeError) -> String {
        switch error {
        case .invalidLadder(.badSize): "layer sides must be \(words(TranscodeLimits.layerSides)) pixels"
        case .invalidLadder(.badBitrate): "layer bitrates must be \(words(TranscodeLimits.layerBitrates)) bit/s"
        case .invalidLadder(.badFrameRate): "invalid framerate"
        case .invalidLadder(.tooManyLayers): "more than three layers"
        default: "the layers cannot be encoded"
        }
    }

    private static func words(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound) to \(range.upperBound)" }

    private static func layers(
        _ options: Livekit_IngressVideoEncodingOptions, _ frameRate: Double
    ) throws(IngressError) -> [LadderSpec.Layer] {
        var layers: [LadderSpec.Layer] = []
        for layer in options.layers {
            guard layer.width > 0, layer.height > 0 else { throw .invalidVideo("invalid output media dimensions") }
            guard layer.width.isMultiple(of: 2) else { throw .invalidIngress("layer width must be even") }
            guard layer.height.isMultiple(of: 2) else { throw .invalidIngress("layer height must be even") }
            guard let quality = LayerQuality(rawValue: UInt8(clamping: layer.quality.rawValue)) else {
                throw .invalidVideo("invalid quality level")
            }
            guard !layers.contains(where: { $0.quality == quality }) else {
                throw .invalidVideo("more than one layer with the same quality level")
            }
            let (width, height) = (Int(layer.width), Int(layer.height))
            let bitrate =
                layer.bitrate == 0
                ? LadderSpec.defaultBitrate(width: width, height: height, frameRate: frameRate) : Int(layer.bitrate)
            layers.append(LadderSpec.Layer(quality: quality, width: width, height: height, bitrate: bitrate))
        }
        layers.sort { $0.quality < $1.quality }
        for (lower, upper) in zip(layers, layers.dropFirst()) {
            guard upper.height >= lower.height else {
                throw .invalidVideo("video layers do not have increasing height with increasing quality")
            }
            guard upper.width >= lower.width else {
                throw .invalidVideo("video layers do not have increasing width with increasing quality")
            }
        }
        return layers
    }

    // MARK: - Audio

    private static func audio(_ audio: Livekit_IngressAudioOptions) throws(IngressError) -> AudioSpec {
        switch audio.encodingOptions {
        case nil: return AudioSpec(channels: 2, bitrate: 96_000)
        case .preset(.opusStereo96Kbps): return AudioSpec(channels: 2, bitrate: 96_000)
        case .preset(.opusMono64Kbs): return AudioSpec(channels: 1, bitrate: 64_000)
        case .preset: throw .invalidAudio("invalid preset")
        case .options(let options):
            guard [.defaultAc, .opus].contains(options.audioCodec) else {
                throw .invalidAudio("audio codec unsupported")
            }
            guard options.channels <= 2 else { throw .invalidAudio("invalid audio channel count") }
            return AudioSpec(
                channels: Int(options.channels), bitrate: Int(options.bitrate), usesDTX: !options.disableDtx)
        }
    }
}

extension Livekit_IngressInfo {
    /// Old records carry only `bypass_transcoding`, and only WHIP can do without.
    package var isTranscoded: Bool {
        if hasEnableTranscoding { return enableTranscoding }
        return inputType == .whipInput ? !bypassTranscoding : true
    }

    /// Absent means enabled.
    package var isEnabled: Bool { !hasEnabled || enabled }

    /// For logs: without the key, and without the person's data.
    package var redacted: String { "\(ingressID) \(inputType) room \(roomName)" }
}
