import Bytes
import Media
import Testing
import Transcode

@Suite struct VideoPipelineTests {
    private let h264 = VideoConfiguration(codec: .h264, record: nil)

    @Test("the ladder comes first, then each picture's layers from the top down, key frames at the start")
    func order() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        try pipeline.run(try TestVideo(384, 256), count: 2, into: &out)
        #expect(
            out.items == [
                .ladder([PictureSize(96, 64), PictureSize(192, 128), PictureSize(384, 256)]),
                .frame(.high, milliseconds: 0, isKey: true), .frame(.medium, milliseconds: 0, isKey: true),
                .frame(.low, milliseconds: 0, isKey: true), .frame(.high, milliseconds: 40, isKey: false),
                .frame(.medium, milliseconds: 40, isKey: false), .frame(.low, milliseconds: 40, isKey: false),
            ])
    }

    @Test("every layer shows the source's pictures in its own size", arguments: [LadderCodec.h264, .vp8])
    func contents(codec: LadderCodec) throws {
        let pipeline = try VideoPipeline.small(codec: codec)
        try pipeline.configure(h264)
        var out = Collected()
        try pipeline.run(try TestVideo(768, 512), count: 6, into: &out)
        for quality in LayerQuality.allCases {
            #expect(try out.numbers(quality) == [0, 1, 2, 3, 4, 5], "\(quality)")
        }
        let high = try decodedPictures(out.frames.filter { $0.quality == .high }.map(\.frame))
        #expect(high.allSatisfy { $0.size == PictureSize(384, 256) })
        #expect(out.frames.allSatisfy { $0.frame.codec == .video(codec == .h264 ? .h264 : .vp8) })
    }

    @Test("H.264 key frames carry their parameter sets in Annex B form and say constrained baseline")
    func bitstream() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(h264)
        var out = Collected()
        try pipeline.run(try TestVideo(384, 256), count: 3, into: &out)
        let types = out.frames.map { unitTypes($0.frame.payload.copied()) }
        #expect(types.first?.filter { $0 != 6 } == [7, 8, 5])
        #expect(types.dropFirst().allSatisfy { $0 == [1] })
        let bytes = out.frames[0].frame.payload.copied()
        let profile = Array(bytes[5...6])
        #expect(Array(bytes[..<4]) == [0, 0, 0, 1])
        #expect(profile == [66, 0xC0])
    }

    @Test("all layers have key frames together every four seconds of source time")
    func scheduledKeys() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        try pipeline.run(try TestVideo(384, 256), count: 90, interval: 100, into: &out)
        for quality in LayerQuality.allCases { #expect(out.keys(quality) == [0, 4000, 8000], "\(quality)") }
    }

    @Test("a request for all layers is answered by all in one picture, and starts the schedule anew")
    func requestAll() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        try pipeline.run(video, count: 10, interval: 100, into: &out)
        pipeline.requestKeyFrame()
        try pipeline.run(video, count: 50, from: 1000, interval: 100, into: &out)
        for quality in LayerQuality.allCases { #expect(out.keys(quality) == [0, 1000, 5000], "\(quality)") }
    }

    @Test("a request for one layer leaves the others alone and the schedule as it is")
    func requestOne() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        try pipeline.run(video, count: 10, interval: 100, into: &out)
        pipeline.requestKeyFrame(.medium)
        try pipeline.run(video, count: 40, from: 1000, interval: 100, into: &out)
        #expect(out.keys(.medium) == [0, 1000, 4000])
        #expect(out.keys(.high) == [0, 4000])
        #expect(out.keys(.low) == [0, 4000])
    }

    @Test("requests within 300 ms of a key frame are answered once, after that time")
    func requestSpacing() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        for index in 0..<Int64(12) {
            if (1...5).contains(index) { pipeline.requestKeyFrame() }
            try pipeline.run(video, count: 1, from: index * 50, into: &out)
        }
        #expect(out.keys(.high) == [0, 300])
    }

    @Test("an inactive layer gives nothing and comes back with a key frame")
    func activeLayers() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        pipeline.activeLayers = [.high]
        try pipeline.run(video, count: 3, into: &out)
        pipeline.activeLayers = [.high, .low]
        try pipeline.run(video, count: 3, from: 120, into: &out)
        #expect(out.times(.high) == [0, 40, 80, 120, 160, 200])
        #expect(out.times(.medium) == [])
        #expect(out.times(.low) == [120, 160, 200])
        #expect(out.keys(.low) == [120])
        #expect(out.keys(.high) == [0])
        #expect(try out.numbers(.low) == [3, 4, 5])
    }

    @Test("without active layers only decoding goes on, and the next active layer needs no key frame from the source")
    func nothingActive() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        pipeline.activeLayers = []
        try pipeline.run(video, count: 5, into: &out)
        #expect(out.frames.isEmpty)
        #expect(pipeline.statistics.picturesDecoded == 5)
        #expect(LayerQuality.allCases.allSatisfy { pipeline.statistics[$0].scale.count == 0 })
        pipeline.activeLayers = [.medium]
        try pipeline.run(video, count: 2, from: 200, into: &out)
        #expect(out.items.last == .frame(.medium, milliseconds: 240, isKey: false))
        #expect(out.keys(.medium) == [200])
        #expect(try out.numbers(.medium) == [5, 6])
    }

    @Test("pictures the caller is late for are decoded but not encoded")
    func skipEncoding() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        for index in 0..<Int64(6) {
            let frame = try video.next(at: index * 40)
            try pipeline.process(frame, skipEncoding: (2...3).contains(index)) { out.add($0) }
        }
        #expect(out.times(.high) == [0, 40, 160, 200])
        #expect(try out.numbers(.high) == [0, 1, 4, 5])
        #expect(pipeline.statistics.droppedForLateness == 2)
    }

    @Test("a source at twice the rate loses every second picture")
    func rateCap() throws {
        let pipeline = try VideoPipeline.small(frameRate: 30, qualities: [.low])
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(96, 64)
        for index in 0..<Int64(60) { try pipeline.process(try video.next(at: index * 50 / 3)) { out.add($0) } }
        let times = out.times(.low)
        #expect((30...31).contains(times.count))
        // After the first, which may come early, the gaps are even.
        #expect(zip(times.dropFirst(2), times.dropFirst(3)).allSatisfy { (32...34).contains($1 - $0) })
        #expect(pipeline.statistics.droppedForRate == UInt64(60 - times.count))
    }

    @Test("pictures whose time does not grow are dropped; a source that starts again far back is followed")
    func timeSteps() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(96, 64)
        for time: Int64 in [5000, 5040, 5040, 4200, 5080, 100, 140] {
            try pipeline.process(try video.next(at: time)) { out.add($0) }
        }
        #expect(out.times(.low) == [5000, 5040, 5080, 100, 140])
        #expect(out.keys(.low) == [5000, 100])
        #expect(pipeline.statistics.droppedForTime == 2)
    }

    @Test("times beyond 36 years are refused and change nothing")
    func absurdTimes() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(h264)
        let video = try TestVideo(96, 64)
        for time in [Int64.min, .max, (1 << 60) + 1] {
            var frame = try video.next(at: 0, isKey: true)
            frame.pts = time
            #expect(throws: TranscodeError.formatOutOfLimits) { try pipeline.process(frame) { _ in } }
        }
        var out = Collected()
        var frame = try video.next(at: 0, isKey: true)
        frame.pts = 1 << 60
        frame.dts = -(1 << 60)
        try pipeline.process(frame) { out.add($0) }
        #expect(out.frames.count == 1)
    }

    @Test("a layer's bit rate can be changed while it runs")
    func setBitrate() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(h264)
        let video = try TestVideo(384, 256)
        func kilobits(_ from: Int64) throws -> Int {
            var out = Collected()
            for index in 0..<Int64(60) {
                try pipeline.process(try video.next(at: from + index * 33, noise: 5)) { out.add($0) }
            }
            return out.frames.reduce(0) { $0 + $1.frame.payload.count } * 8 / 2 / 1000
        }
        _ = try kilobits(0)
        let before = try kilobits(2000)
        try pipeline.setBitrate(.high, 100_000)
        _ = try kilobits(4000)
        let after = try kilobits(6000)
        #expect(after * 2 < before, "\(before) then \(after)")
        try pipeline.setBitrate(.high, .max)
        try pipeline.setBitrate(.high, .min)
        try pipeline.setBitrate(.medium, 1)
        _ = try kilobits(8000)
    }

    @Test("a frame before configuration, or of another codec, is refused")
    func notConfigured() throws {
        let pipeline = try VideoPipeline.small()
        let frame = try TestVideo(96, 64).next(at: 0)
        #expect(throws: TranscodeError.notConfigured) { try pipeline.process(frame) { _ in } }
        try pipeline.configure(VideoConfiguration(codec: .vp8, record: nil))
        #expect(throws: TranscodeError.notConfigured) { try pipeline.process(frame) { _ in } }
    }

    @Test("statistics tell the source's shape, groups and rate, and the layers' bytes")
    func statistics() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(384, 256)
        for index in 0..<Int64(60) {
            try pipeline.process(try video.next(at: index * 40, isKey: index % 25 == 0)) { out.add($0) }
        }
        let statistics = pipeline.statistics
        #expect(statistics.source.codec == .h264)
        #expect(statistics.source.profile & 0xFF == 66)
        #expect(statistics.source.size == PictureSize(384, 256))
        #expect(statistics.source.displaySize == PictureSize(384, 256))
        #expect((24.9...25.1).contains(statistics.source.framesPerSecond))
        #expect(statistics.source.gopLength == 25)
        #expect(!statistics.source.hasReordering && !statistics.source.isInterlaced)
        #expect(statistics.framesIn == 60 && statistics.picturesDecoded == 60 && statistics.decoderErrors == 0)
        #expect(statistics[.high].framesOut == 60 && statistics[.high].keyFramesOut == 1)
        #expect(
            statistics[.low].bytesOut
                == out.frames.filter { $0.quality == .low }.reduce(0) { $0 + UInt64($1.frame.payload.count) })
        #expect(statistics[.high].scale.count == 0, "the top layer shares the decoded picture")
        #expect(statistics[.medium].scale.count == 60)
    }
}

/// Types of the NAL units of an Annex B access unit.
func unitTypes(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count > 3 else { return [] }
    return (0..<bytes.count - 3).filter { bytes[$0] == 0 && bytes[$0 + 1] == 0 && bytes[$0 + 2] == 1 }.map {
        bytes[$0 + 3] & 31
    }
}
