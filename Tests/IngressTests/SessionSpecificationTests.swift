import Ingress
import LiveKitProtocol
import SwiftProtobuf
import Testing
import Transcode

@Suite("Session specification")
struct SessionSpecificationTests {
    private static func info() -> Livekit_IngressInfo {
        var info = Livekit_IngressInfo()
        info.streamKey = "key"
        info.roomName = "room"
        info.participantIdentity = "me"
        info.enableTranscoding = true
        return info
    }

    private static func text(_ change: (inout Livekit_IngressInfo) -> Void) -> String? {
        var info = info()
        change(&info)
        do throws(IngressError) {
            _ = try SessionSpecification(info)
            return nil
        } catch {
            return error.text
        }
    }

    private static func layer(_ quality: Livekit_VideoQuality, _ width: UInt32, _ height: UInt32) -> Livekit_VideoLayer
    {
        var layer = Livekit_VideoLayer()
        layer.quality = quality
        layer.width = width
        layer.height = height
        return layer
    }

    private static func options(_ layers: [Livekit_VideoLayer]) -> Livekit_IngressVideoEncodingOptions {
        var options = Livekit_IngressVideoEncodingOptions()
        options.layers = layers
        return options
    }

    @Test("without options: 720p in three layers, stereo, camera and microphone")
    func defaults() throws {
        let specification = try SessionSpecification(Self.info())
        #expect(specification.ladder == LadderSpec(preset: .h264_720p30Layers3))
        #expect(specification.audio == AudioSpec(channels: 2, bitrate: 96_000))
        #expect(specification.video.source == .camera)
        #expect(specification.sound.source == .microphone)
    }

    @Test("every preset is known by its number", arguments: LadderSpec.Preset.allCases)
    func presets(preset: LadderSpec.Preset) throws {
        var info = Self.info()
        info.video.preset = try #require(Livekit_IngressVideoEncodingPreset(rawValue: preset.rawValue))
        #expect(try SessionSpecification(info).ladder == LadderSpec(preset: preset))
    }

    @Test("custom layers: sorted, missing rates filled in")
    func customLayers() throws {
        var info = Self.info()
        var options = Self.options([Self.layer(.high, 1920, 1080), Self.layer(.low, 480, 270)])
        options.frameRate = 15
        options.videoCodec = .vp8
        info.video.options = options
        let ladder = try SessionSpecification(info).ladder
        #expect(ladder.codec == .vp8)
        #expect(ladder.maxFrameRate == 15)
        #expect(ladder.layers.map(\.quality) == [.low, .high])
        #expect(ladder.layers.map(\.bitrate) == [260_139, 2_081_112])
    }

    @Test("mono and DTX as asked for")
    func audio() throws {
        var info = Self.info()
        info.audio.preset = .opusMono64Kbs
        #expect(try SessionSpecification(info).audio == AudioSpec(channels: 1, bitrate: 64_000))
        var options = Livekit_IngressAudioEncodingOptions()
        options.disableDtx = true
        info.audio.options = options
        #expect(try SessionSpecification(info).audio == AudioSpec(channels: 2, bitrate: 96_000, usesDTX: false))
    }

    @Test("what cannot be is refused with livekit-server's own texts")
    func refusals() {
        #expect(Self.text { _ in } == nil)
        #expect(Self.text { $0.roomName = "" } == "invalid ingress: no room name")
        #expect(Self.text { $0.streamKey = "" } == "invalid ingress: no stream key")
        #expect(Self.text { $0.participantIdentity = "" } == "invalid ingress: no participant identity")
        #expect(
            Self.text { $0.enableTranscoding = false }
                == "invalid transcoding bypass configuration: bypassing transcoding impossible with selected input type"
        )
        #expect(Self.text { $0.video.source = .microphone } == "invalid video parameters: invalid track source")
        #expect(Self.text { $0.audio.source = .camera } == "invalid audio parameters: invalid track source")
        #expect(Self.text { $0.video.preset = .UNRECOGNIZED(77) } == "invalid video parameters: invalid preset")
        #expect(
            Self.text { $0.audio.options = .with { $0.channels = 3 } }
                == "invalid audio parameters: invalid audio channel count")
        #expect(
            Self.text { $0.audio.options = .with { $0.audioCodec = .aac } }
                == "invalid audio parameters: audio codec unsupported")
        #expect(
            Self.text { $0.video.options = .with { $0.videoCodec = .h264High } }
                == "invalid video parameters: video codec unsupported")
        #expect(
            Self.text { $0.video.options = .with { $0.frameRate = -1 } }
                == "invalid video parameters: invalid framerate"
        )
    }

    @Test("layers that contradict each other are refused")
    func layers() {
        let cases: [([Livekit_VideoLayer], String)] = [
            ([Self.layer(.high, 0, 720)], "invalid video parameters: invalid output media dimensions"),
            ([Self.layer(.high, 1281, 720)], "invalid ingress: layer width must be even"),
            ([Self.layer(.high, 1280, 721)], "invalid ingress: layer height must be even"),
            (
                [Self.layer(.high, 1280, 720), Self.layer(.high, 640, 360)],
                "invalid video parameters: more than one layer with the same quality level"
            ),
            (
                [Self.layer(.high, 640, 360), Self.layer(.low, 640, 720)],
                "invalid video parameters: video layers do not have increasing height with increasing quality"
            ),
            (
                [Self.layer(.high, 640, 720), Self.layer(.low, 1280, 720)],
                "invalid video parameters: video layers do not have increasing width with increasing quality"
            ),
            ([Self.layer(.off, 640, 360)], "invalid video parameters: invalid quality level"),
        ]
        for (layers, expected) in cases {
            #expect(Self.text { $0.video.options = Self.options(layers) } == expected)
        }
        #expect(Self.text { $0.video.options = Self.options([Self.layer(.high, 40_000, 40_000)]) } != nil)
    }

    @Test("records from before enable_transcoding: WHIP follows the bypass flag, all others are transcoded")
    func oldRecords() {
        var info = Livekit_IngressInfo()
        #expect(info.isTranscoded)
        info.inputType = .whipInput
        #expect(info.isTranscoded)
        info.bypassTranscoding = true
        #expect(!info.isTranscoded)
        info.enableTranscoding = true
        #expect(info.isTranscoded)
    }
}
