import Testing
import Transcode

@Suite struct LadderSpecTests {
    private func layer(_ quality: LayerQuality, _ width: Int, _ height: Int, _ bitrate: Int) -> LadderSpec.Layer {
        LadderSpec.Layer(quality: quality, width: width, height: height, bitrate: bitrate)
    }

    @Test("each preset has LiveKit's sizes, rates and bit rates")
    func presets() {
        let expected: [(LadderSpec.Preset, Double, [LadderSpec.Layer])] = [
            (
                .h264_720p30Layers3, 30,
                [layer(.low, 320, 180, 237_500), layer(.medium, 640, 360, 671_751), layer(.high, 1280, 720, 1_900_000)]
            ),
            (
                .h264_1080p30Layers3, 30,
                [
                    layer(.low, 480, 270, 437_500), layer(.medium, 960, 540, 1_237_436),
                    layer(.high, 1920, 1080, 3_500_000),
                ]
            ),
            (.h264_540p25Layers2, 25, [layer(.low, 480, 270, 353_553), layer(.high, 960, 540, 1_000_000)]),
            (.h264_720p30Layers1, 30, [layer(.high, 1280, 720, 1_900_000)]),
            (.h264_1080p30Layers1, 30, [layer(.high, 1920, 1080, 3_500_000)]),
            (
                .h264_720p30Layers3HighMotion, 30,
                [layer(.low, 320, 180, 312_500), layer(.medium, 640, 360, 883_883), layer(.high, 1280, 720, 2_500_000)]
            ),
            (
                .h264_1080p30Layers3HighMotion, 30,
                [
                    layer(.low, 480, 270, 562_500), layer(.medium, 960, 540, 1_590_990),
                    layer(.high, 1920, 1080, 4_500_000),
                ]
            ),
            (.h264_540p25Layers2HighMotion, 25, [layer(.low, 480, 270, 459_619), layer(.high, 960, 540, 1_300_000)]),
            (.h264_720p30Layers1HighMotion, 30, [layer(.high, 1280, 720, 2_500_000)]),
            (.h264_1080p30Layers1HighMotion, 30, [layer(.high, 1920, 1080, 4_500_000)]),
        ]
        #expect(expected.map(\.0) == LadderSpec.Preset.allCases)
        for (preset, rate, layers) in expected {
            let spec = LadderSpec(preset: preset)
            #expect(spec.maxFrameRate == rate, "\(preset)")
            #expect(spec.layers == layers, "\(preset)")
            #expect(spec.codec == .h264)
        }
    }

    @Test("presets are found by their names in LiveKit's API")
    func presetNames() {
        let names = [
            "H264_720P_30FPS_3_LAYERS", "H264_1080P_30FPS_3_LAYERS", "H264_540P_25FPS_2_LAYERS",
            "H264_720P_30FPS_1_LAYER",
            "H264_1080P_30FPS_1_LAYER", "H264_720P_30FPS_3_LAYERS_HIGH_MOTION", "H264_1080P_30FPS_3_LAYERS_HIGH_MOTION",
            "H264_540P_25FPS_2_LAYERS_HIGH_MOTION", "H264_720P_30FPS_1_LAYER_HIGH_MOTION",
            "H264_1080P_30FPS_1_LAYER_HIGH_MOTION",
        ]
        #expect(LadderSpec.Preset.allCases.map(\.name) == names)
        #expect(names.map { LadderSpec.Preset(name: $0) } == LadderSpec.Preset.allCases)
        #expect(LadderSpec.Preset(name: "H264_720P") == nil)
    }

    @Test("a custom layer without a bit rate follows the 0.75th power of pixels and frame rate")
    func bitrateRule() {
        #expect(LadderSpec.defaultBitrate(width: 1920, height: 1080, frameRate: 30) == 3_500_000)
        #expect(LadderSpec.defaultBitrate(width: 1920, height: 1080, frameRate: 15) == 2_081_112)
        #expect(LadderSpec.defaultBitrate(width: 480, height: 270, frameRate: 15) == 260_139)
    }

    @Test("options without layers get three layers under 1.7 Mbit/s")
    func defaultLayers() throws {
        let spec = try LadderSpec.defaultLayers(codec: .vp8, maxFrameRate: 24)
        #expect(
            spec.layers == [
                layer(.low, 320, 180, 212_500), layer(.medium, 640, 360, 601_040), layer(.high, 1280, 720, 1_700_000),
            ])
        #expect(spec.maxFrameRate == 24)
        #expect(spec.codec == .vp8)
    }

    @Test("layers in text get their qualities by size, whatever their order")
    func text() throws {
        let three = try LadderSpec(layers: "1280x720@1900,320x180@200,640x360@600")
        #expect(
            three.layers == [
                layer(.low, 320, 180, 200_000), layer(.medium, 640, 360, 600_000), layer(.high, 1280, 720, 1_900_000),
            ])
        let two = try LadderSpec(layers: "960x540@1000,480x270@300")
        #expect(two.layers.map(\.quality) == [.low, .high])
        let one = try LadderSpec(layers: "1920x1080", maxFrameRate: 15)
        #expect(one.layers == [layer(.high, 1920, 1080, 2_081_112)])
    }

    @Test(
        "broken layer texts are told apart",
        arguments: [
            ("", LadderFault.badSyntax), (",", .badSyntax), ("1280", .badSyntax), ("1280x720@", .badSyntax),
            ("1280x720@1@2", .badSyntax),
            ("1280x720x3@1", .badSyntax), ("axb@1", .badSyntax), ("15x720@100", .badSize), ("4097x720@100", .badSize),
            ("-640x360@100", .badSize), ("640x360@9", .badBitrate), ("640x360@100001", .badBitrate),
            ("640x360@-5", .badBitrate),
            ("640x360@9223372036854775807", .badBitrate), ("99999999999999999999x2", .badSyntax),
            ("640x360,320x180,160x90,80x45", .tooManyLayers),
        ])
    func badText(text: String, fault: LadderFault) {
        #expect(throws: TranscodeError.invalidLadder(fault)) { try LadderSpec(layers: text) }
    }

    @Test("limits hold at their ends and fail one beyond")
    func limits() throws {
        _ = try LadderSpec(maxFrameRate: 120, layers: [layer(.low, 16, 4096, 10_000)])
        _ = try LadderSpec(maxFrameRate: 1, layers: [layer(.low, 4096, 16, 100_000_000)])
        let faults: [(Double, [LadderSpec.Layer], LadderFault)] = [
            (30, [], .noLayers), (30, [layer(.low, 64, 64, 64_000), layer(.low, 32, 32, 64_000)], .repeatedQuality),
            (0.5, [layer(.low, 64, 64, 64_000)], .badFrameRate), (121, [layer(.low, 64, 64, 64_000)], .badFrameRate),
            (.nan, [layer(.low, 64, 64, 64_000)], .badFrameRate), (30, [layer(.low, 64, 64, 9_999)], .badBitrate),
            (30, [layer(.low, 64, 64, 100_000_001)], .badBitrate), (30, [layer(.low, 15, 64, 64_000)], .badSize),
        ]
        for (rate, layers, fault) in faults {
            #expect(throws: TranscodeError.invalidLadder(fault)) { try LadderSpec(maxFrameRate: rate, layers: layers) }
        }
    }

    @Test("qualities and RTP stream ids map one to one")
    func rids() {
        #expect(LayerQuality.allCases.map(\.rid) == ["q", "h", "f"])
        #expect(["q", "h", "f"].compactMap { LayerQuality(rid: $0) } == LayerQuality.allCases)
        #expect(LayerQuality(rid: "a") == nil)
    }
}
