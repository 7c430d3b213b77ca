import Bytes
import Media
import Testing
import Transcode

@Suite struct VideoSourceTests {
    private let h264 = VideoConfiguration(codec: .h264, record: nil)

    struct Clip: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sample: MediaSample
    }

    @Test(
        "every codec and pixel format with a sample comes out as a layer, with the source's times",
        arguments: [
            Clip(testDescription: "H.264", sample: .h264WidePixels),
            Clip(testDescription: "H.264 10 bit", sample: .h264TenBit),
            Clip(testDescription: "H.264 4:4:4", sample: .h264Dense),
            Clip(testDescription: "H.264 interlaced", sample: .h264Interlaced),
            Clip(testDescription: "HEVC", sample: .hevc), Clip(testDescription: "AV1", sample: .av1),
            Clip(testDescription: "VP9", sample: .vp9),
            Clip(testDescription: "Sorenson H.263", sample: .sorensonH263),
            Clip(testDescription: "Screen video", sample: .screenVideo),
            Clip(testDescription: "Screen video 2", sample: .screenVideo2),
        ])
    func codecs(clip: Clip) throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(clip.sample, into: &out)
        try pipeline.finish { out.add($0) }
        #expect(out.times(.high) == clip.sample.frames.map { $0.pts / 1_000_000 })
        #expect(out.keys(.high) == [0])
        #expect(pipeline.statistics.decoderErrors == 0)
        #expect(try decodedPictures(out.frames.map(\.frame)).count == clip.sample.frames.count)
    }

    @Test(
        "codecs without a delay of their own give each picture with its frame",
        arguments: [
            Clip(testDescription: "H.264", sample: .h264WidePixels), Clip(testDescription: "HEVC", sample: .hevc),
            Clip(testDescription: "AV1", sample: .av1), Clip(testDescription: "VP9", sample: .vp9),
        ])
    func noDelay(clip: Clip) throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(try #require(clip.sample.videoConfiguration))
        for frame in clip.sample.frames {
            var out = Collected()
            try pipeline.process(frame) { out.add($0) }
            #expect(out.times(.high) == [frame.pts / 1_000_000])
        }
    }

    @Test("decoders start for every codec, VP6 among them")
    func decodersStart() throws {
        for codec in VideoCodec.allCases {
            let record = codec == .vp6 || codec == .vp6Alpha ? SlabSlice(copying: [0x12]) : nil
            _ = try VideoDecoder(VideoConfiguration(codec: codec, record: record))
        }
    }

    @Test("reordered pictures come out in order of time and what is held back comes with the end")
    func reordering() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.h264Reordered, into: &out)
        #expect(out.frames.count < 12)
        try pipeline.finish { out.add($0) }
        #expect(out.times(.high) == (0..<12).map { $0 * 40 })
        #expect(pipeline.statistics.source.hasReordering)
    }

    @Test(
        "a change of codec first brings out the pictures that the old decoder held back, then starts with a key frame")
    func codecChange() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.h264Reordered, into: &out)
        let video = try TestVideo(96, 64, codec: .vp8)
        try pipeline.configure(VideoConfiguration(codec: .vp8, record: nil))
        try pipeline.run(video, count: 3, from: 480, into: &out)
        #expect(out.times(.high) == (0..<15).map { $0 * 40 })
        #expect(out.keys(.high) == [0, 480])
        #expect(pipeline.statistics.rebuilds == 2)
    }

    @Test("the same configuration again costs nothing: no drain, no key frame")
    func sameConfiguration() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        let sample = MediaSample.h264WidePixels
        try pipeline.configure(try #require(sample.videoConfiguration))
        for frame in sample.frames {
            try pipeline.configure(
                VideoConfiguration(codec: .h264, record: SlabSlice(copying: sample.record?.copied() ?? [])))
            try pipeline.process(frame) { out.add($0) }
        }
        #expect(out.keys(.high) == [0])
        #expect(out.frames.count == sample.frames.count)
    }

    @Test("a change of the source's size builds the ladder anew, with key frames in the new sizes")
    func sizeChange() throws {
        let pipeline = try VideoPipeline.small()
        try pipeline.configure(h264)
        var out = Collected()
        try pipeline.run(try TestVideo(384, 256), count: 2, into: &out)
        try pipeline.run(try TestVideo(192, 128), count: 2, from: 80, into: &out)
        #expect(out.items.filter { if case .ladder = $0 { true } else { false } }.count == 2)
        #expect(out.items.contains(.ladder([PictureSize(96, 64), PictureSize(192, 128)])))
        #expect(out.keys(.medium) == [0, 80] && out.keys(.low) == [0, 80] && out.keys(.high) == [0])
        let sizes = try decodedPictures(out.frames.filter { $0.quality == .medium }.map(\.frame)).map(\.size)
        #expect(sizes.allSatisfy { $0 == PictureSize(192, 128) })
    }

    @Test("wide pixels widen the ladder, and a change of their shape builds it anew")
    func sampleAspect() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.h264WidePixels, into: &out)
        #expect(out.items.first == .ladder([PictureSize(128, 64)]))
        #expect(pipeline.statistics.source.size == PictureSize(96, 64))
        #expect(pipeline.statistics.source.displaySize == PictureSize(128, 64))
        try pipeline.run(.h264Interlaced, from: 160, into: &out)
        #expect(out.items.contains(.ladder([PictureSize(96, 64)])))
        #expect(out.keys(.high) == [0, 160])
        #expect(pipeline.statistics.source.isInterlaced)
    }

    @Test("a change of the pixel format alone starts with a key frame")
    func formatChange() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.h264TenBit, into: &out)
        try pipeline.run(.h264Dense, from: 160, into: &out)
        #expect(out.keys(.high) == [0, 160])
    }

    @Test("full range is brought to limited range: white is 235")
    func fullRange() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.h264FullRange, into: &out)
        let luma = try out.luma(.high)
        #expect(luma.count == 4 && luma.allSatisfy { (233...237).contains($0) }, "\(luma)")
    }

    @Test("RGB screens become YUV: red has its BT.601 luma")
    func rgb() throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        var out = Collected()
        try pipeline.run(.screenVideo, into: &out)
        let luma = try out.luma(.high)
        #expect(luma.count == 3 && luma.allSatisfy { (79...84).contains($0) }, "\(luma)")
    }

    @Test("frames before the first key frame are told apart from broken ones")
    func awaitingKey() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(VideoConfiguration(codec: .vp8, record: nil))
        var out = Collected()
        let video = try TestVideo(96, 64, codec: .vp8)
        _ = try video.next(at: 0)
        #expect(throws: TranscodeError.awaitingKeyFrame) {
            try pipeline.process(try video.next(at: 40)) { out.add($0) }
        }
        #expect(pipeline.statistics.framesBeforeKey == 1 && pipeline.statistics.decoderErrors == 0)
        try pipeline.process(try video.next(at: 80, isKey: true)) { out.add($0) }
        #expect(out.times(.low) == [80])
    }

    @Test("H.264 that starts amid a group shows nothing before its first key frame")
    func midGroup() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(h264)
        var out = Collected()
        let video = try TestVideo(96, 64)
        _ = try video.next(at: 0)
        for index in 1..<Int64(4) { try? pipeline.process(try video.next(at: index * 40)) { out.add($0) } }
        #expect(out.frames.isEmpty)
        try pipeline.process(try video.next(at: 160, isKey: true)) { out.add($0) }
        #expect(out.times(.low) == [160])
    }

    @Test("pictures of more than 4096x2304 pixels are refused by the decoder")
    func tooLarge() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(VideoConfiguration(codec: .vp8, record: nil))
        // A VP8 key frame header of 16383x16383.
        let bytes: [UInt8] =
            [0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F] + [UInt8](repeating: 0, count: 64)
        let frame = EncodedFrame(codec: .video(.vp8), pts: 0, dts: 0, isKey: true, payload: SlabSlice(copying: bytes))
        #expect(throws: TranscodeError.self) { try pipeline.process(frame) { _ in } }
        #expect(pipeline.statistics.decoderErrors == 1)
    }
}
