import Testing
import Transcode

@Suite struct LadderPlanTests {
    private static let preset720 = LadderSpec(preset: .h264_720p30Layers3)

    struct Case: Sendable {
        let source: PictureSize
        let sizes: [PictureSize]
    }

    @Test(
        "layers fit the source: never larger, aspect kept, even, and none above the first that covers it",
        arguments: [
            Case(
                source: PictureSize(1920, 1080),
                sizes: [PictureSize(320, 180), PictureSize(640, 360), PictureSize(1280, 720)]),
            Case(
                source: PictureSize(1280, 720),
                sizes: [PictureSize(320, 180), PictureSize(640, 360), PictureSize(1280, 720)]),
            Case(source: PictureSize(320, 180), sizes: [PictureSize(320, 180)]),
            Case(source: PictureSize(160, 90), sizes: [PictureSize(160, 90)]),
            Case(source: PictureSize(640, 360), sizes: [PictureSize(320, 180), PictureSize(640, 360)]),
            Case(
                source: PictureSize(641, 360),
                sizes: [PictureSize(320, 180), PictureSize(640, 360), PictureSize(642, 360)]),
            // Portrait: fitted by height.
            Case(
                source: PictureSize(1080, 1920),
                sizes: [PictureSize(102, 180), PictureSize(202, 360), PictureSize(406, 720)]),
            Case(
                source: PictureSize(720, 1280),
                sizes: [PictureSize(102, 180), PictureSize(202, 360), PictureSize(406, 720)]),
            // 4:3 and wide screens.
            Case(
                source: PictureSize(1024, 768),
                sizes: [PictureSize(240, 180), PictureSize(480, 360), PictureSize(960, 720)]),
            Case(
                source: PictureSize(2560, 1080),
                sizes: [PictureSize(320, 136), PictureSize(640, 270), PictureSize(1280, 540)]),
            Case(
                source: PictureSize(1279, 719),
                sizes: [PictureSize(320, 180), PictureSize(640, 360), PictureSize(1280, 720)]),
            Case(source: PictureSize(1, 1), sizes: [PictureSize(2, 2)]),
            Case(
                source: PictureSize(8192, 2), sizes: [PictureSize(320, 2), PictureSize(640, 2), PictureSize(1280, 2)]),
            Case(source: PictureSize(0, -5), sizes: [PictureSize(2, 2)]),
        ])
    func fitting(each: Case) {
        let plan = LadderPlan(spec: Self.preset720, source: each.source)
        #expect(plan.rungs.map(\.size) == each.sizes)
        #expect(plan.rungs.map(\.quality) == Array(LayerQuality.allCases.prefix(each.sizes.count)))
        #expect(plan.rungs.allSatisfy { $0.frameRate == 30 })
    }

    @Test("every size of source keeps the rules")
    func sweep() {
        for width in stride(from: 2, through: 2600, by: 37) {
            for height in stride(from: 2, through: 2600, by: 41) {
                let rungs = LadderPlan(spec: Self.preset720, source: PictureSize(width, height)).rungs
                #expect((1...3).contains(rungs.count))
                for rung in rungs {
                    #expect(rung.size.width % 2 == 0 && rung.size.height % 2 == 0)
                    #expect(rung.size.width <= width + 1 && rung.size.height <= height + 1)
                    #expect(rung.size.width <= 1280 && rung.size.height <= 720)
                }
            }
        }
    }

    @Test("bit rates stay with small shrinking and follow the area's 0.75th power beyond a tenth")
    func bitrates() {
        let full = LadderPlan(spec: Self.preset720, source: PictureSize(1280, 720))
        #expect(full.rungs.map(\.bitrate) == [237_500, 671_751, 1_900_000])
        #expect(full.bitrate == 237_500 + 671_751 + 1_900_000)
        // 1216x720 keeps 95 %.
        #expect(LadderPlan(spec: Self.preset720, source: PictureSize(1216, 720)).rungs.last?.bitrate == 1_900_000)
        // 960x720 keeps 75 %: 0.75 ^ 0.75 = 0.80593.
        #expect(LadderPlan(spec: Self.preset720, source: PictureSize(1024, 768)).rungs.last?.bitrate == 1_531_262)
        let tiny = LadderPlan(spec: Self.preset720, source: PictureSize(2, 2))
        #expect(tiny.rungs.map(\.bitrate) == [10_000])
    }

    @Test("an encoder gets one thread for each 921,600 pixels, up to the processors at hand")
    func threads() {
        let spec = LadderSpec(preset: .h264_1080p30Layers3)
        #expect(LadderPlan(spec: spec, source: PictureSize(1920, 1080)).rungs.map(\.threads) == [1, 1, 3])
        #expect(
            LadderPlan(spec: spec, source: PictureSize(1920, 1080), maxThreads: 2).rungs.map(\.threads) == [1, 1, 2])
        #expect(LadderPlan(spec: Self.preset720, source: PictureSize(1280, 720)).rungs.map(\.threads) == [1, 1, 1])
        #expect(
            LadderPlan(spec: Self.preset720, source: PictureSize(1280, 720), maxThreads: 0).rungs.map(\.threads) == [
                1, 1, 1,
            ])
    }
}
