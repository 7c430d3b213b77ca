import Bytes
import Media
import Testing
import Transcode

/// A pipeline without viewers: it decodes nothing that nobody may come to need.
@Suite struct RestingPipelineTests {
    /// Known to the pipeline and unwatched from here on; frames are 40 ms apart.
    private func unwatched(
        clock: @escaping () -> Monotonic = { .zero }
    ) throws -> (pipeline: VideoPipeline, video: TestVideo, out: Collected) {
        let pipeline = try VideoPipeline.small(clock: clock)
        try pipeline.configure(VideoConfiguration(codec: .h264, record: nil))
        let video = try TestVideo(384, 256)
        var out = Collected()
        pipeline.activeLayers = []
        try pipeline.run(video, count: 60, into: &out)
        return (pipeline, video, out)
    }

    private func push(_ video: TestVideo, keys: Set<Int> = [], count: Int, to pipeline: VideoPipeline) throws {
        for index in 0..<count {
            let time = Int64(video.number) * 40
            try pipeline.process(video.next(at: time, isKey: keys.contains(index))) { _ in
                Issue.record("nobody watches, and something was encoded")
            }
        }
    }

    @Test("the present group is decoded to its end; from the next key frame on nothing is")
    func rests() throws {
        let (pipeline, video, _) = try unwatched()
        try push(video, count: 10, to: pipeline)
        #expect(pipeline.statistics.picturesDecoded == 70)
        try push(video, keys: [0, 40], count: 90, to: pipeline)
        #expect(pipeline.statistics.picturesDecoded == 70)
        #expect(pipeline.statistics.framesIn == 160)
        #expect(pipeline.statistics.source.gopLength == 40)
    }

    @Test("a viewer who comes gets the very next picture, after what it is made of was decoded")
    func wakes() throws {
        var (pipeline, video, out) = try unwatched()
        try push(video, keys: [0, 30], count: 50, to: pipeline)
        pipeline.activeLayers = [.high]
        try pipeline.run(video, count: 3, from: Int64(video.number) * 40, into: &out)
        #expect(pipeline.statistics.picturesDecoded == 60 + 20 + 3)
        #expect(pipeline.statistics.droppedForLateness == 0)
        #expect(out.keys(.high) == [110 * 40])
        #expect(try out.numbers(.high) == [110, 111, 112])
        #expect(pipeline.statistics.picturesCorrupt == 0 && pipeline.statistics.decoderErrors == 0)
    }

    @Test("watched again and left again, it rests again")
    func restsAgain() throws {
        var (pipeline, video, out) = try unwatched()
        try push(video, keys: [0], count: 5, to: pipeline)
        pipeline.activeLayers = [.low]
        try pipeline.run(video, count: 2, from: Int64(video.number) * 40, into: &out)
        pipeline.activeLayers = []
        let decoded = pipeline.statistics.picturesDecoded
        try push(video, keys: [0], count: 20, to: pipeline)
        #expect(pipeline.statistics.picturesDecoded == decoded)
    }

    @Test("no more is kept than can be decoded in a quarter of a second")
    func bound() throws {
        // Every look at the clock is 5 ms after the last: a frame costs 10 ms and more.
        var now = Monotonic.zero
        let (pipeline, video, _) = try unwatched {
            now += .milliseconds(5)
            return now
        }
        let cost = pipeline.statistics.decode.sum / Int64(pipeline.statistics.decode.count)
        try push(video, keys: [0], count: 60, to: pipeline)
        let kept = 120 - Int64(pipeline.statistics.picturesDecoded)
        #expect(kept > 0 && kept < 60)
        #expect(cost * kept <= .milliseconds(250) && cost * (kept + 2) > .milliseconds(250))
    }

    @Test("another configuration has its pictures decoded, so that the layers' sizes are known")
    func reconfigured() throws {
        let (pipeline, video, _) = try unwatched()
        try push(video, keys: [0], count: 10, to: pipeline)
        try pipeline.configure(VideoConfiguration(codec: .vp8, record: nil))
        var out = Collected()
        try pipeline.run(try TestVideo(192, 128, codec: .vp8), count: 3, from: 10_000, into: &out)
        #expect(out.items == [.ladder([PictureSize(96, 64), PictureSize(192, 128)])])
    }
}
