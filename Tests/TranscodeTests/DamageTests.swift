import Bytes
import Media
import TestSupport
import Testing
import Transcode

/// Broken input: nothing may trap, and a whole stream afterwards must come through.
@Suite struct DamageTests {
    private let samples: [MediaSample] = [
        .h264Reordered, .h264TenBit, .hevc, .av1, .vp9, .sorensonH263, .screenVideo, .screenVideo2,
    ]

    private func process(_ pipeline: VideoPipeline, _ frame: EncodedFrame) {
        do {
            try pipeline.process(frame) { _ in }
        } catch {
            #expect(error.severity == .drop, "\(error)")
        }
    }

    @Test("flipped bits in any codec are errors to drop, never worse")
    func flippedBits() throws {
        var generator = SeededGenerator(seed: 7)
        for sample in samples {
            let pipeline = try VideoPipeline.small(qualities: [.low])
            try pipeline.configure(try #require(sample.videoConfiguration))
            for round in 0..<8 {
                for frame in sample.frames {
                    var bytes = frame.payload.copied()
                    for _ in 0..<3 {
                        let index = Int(generator.next() % UInt64(bytes.count))
                        bytes[index] ^= 1 << UInt8(generator.next() % 8)
                    }
                    var broken = frame
                    broken.payload = SlabSlice(copying: bytes)
                    broken.pts += Int64(round) * 1_000_000_000
                    process(pipeline, broken)
                }
            }
        }
    }

    @Test("a stream cut short at any length is an error to drop")
    func truncations() throws {
        for sample in samples {
            let pipeline = try VideoPipeline.small(qualities: [.low])
            try pipeline.configure(try #require(sample.videoConfiguration))
            let frame = try #require(sample.frames.first)
            for (index, count) in stride(from: 0, through: frame.payload.count, by: 7).enumerated() {
                var cut = frame
                cut.payload = frame.payload[0..<count]
                cut.pts = Int64(index) * 40_000_000
                process(pipeline, cut)
            }
        }
    }

    @Test("broken records are refused or ignored, never worse")
    func records() throws {
        var generator = SeededGenerator(seed: 11)
        for sample in [MediaSample.h264Reordered, .hevc, .av1] {
            let record = try #require(sample.record).copied()
            let configuration = try #require(sample.videoConfiguration)
            for count in 0...record.count {
                _ = try? VideoDecoder(
                    VideoConfiguration(codec: configuration.codec, record: SlabSlice(copying: Array(record[..<count]))))
            }
            for _ in 0..<50 {
                let bytes = generator.bytes(Int(generator.next() % 64))
                _ = try? VideoDecoder(VideoConfiguration(codec: configuration.codec, record: SlabSlice(copying: bytes)))
            }
        }
        let huge = SlabSlice(copying: [UInt8](repeating: 1, count: (1 << 20) + 1))
        #expect(throws: TranscodeError.frameTooLarge((1 << 20) + 1)) {
            try VideoDecoder(VideoConfiguration(codec: .h264, record: huge))
        }
    }

    @Test("after damage the next key frame puts the picture right")
    func recovery() throws {
        let pipeline = try VideoPipeline.small(qualities: [.low])
        try pipeline.configure(VideoConfiguration(codec: .h264, record: nil))
        let video = try TestVideo(96, 64)
        var generator = SeededGenerator(seed: 3)
        for index in 0..<Int64(5) {
            var frame = try video.next(at: index * 40)
            if index > 1 { frame.payload = SlabSlice(copying: generator.bytes(200)) }
            process(pipeline, frame)
        }
        #expect(pipeline.statistics.decoderErrors + pipeline.statistics.picturesCorrupt > 0)
        var out = Collected()
        pipeline.requestKeyFrame()
        for index in 10..<Int64(14) {
            try pipeline.process(try video.next(at: index * 40, isKey: index == 10)) { out.add($0) }
        }
        #expect(try out.numbers(.low) == [5, 6, 7, 8])
    }

    @Test("random bytes in every audio codec are errors to drop")
    func audioNoise() throws {
        var generator = SeededGenerator(seed: 5)
        for codec in AudioCodec.allCases {
            let pipeline = try AudioPipeline(spec: AudioSpec())
            do {
                try pipeline.configure(AudioConfiguration(codec: codec, record: nil, sampleRate: 0, channels: 0))
            } catch { continue }
            for index in 0..<Int64(40) {
                let payload = SlabSlice(copying: generator.bytes(Int(generator.next() % 400)))
                let frame = EncodedFrame(
                    codec: .audio(codec), pts: index * 20_000_000, dts: 0, isKey: true, payload: payload)
                do { try pipeline.process(frame) { _ in } } catch {
                    #expect(error.severity == .drop, "\(codec) \(error)")
                }
            }
        }
    }
}
