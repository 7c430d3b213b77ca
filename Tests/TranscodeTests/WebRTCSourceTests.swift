import Bytes
import Media
import Testing
import Transcode

/// Decoding of what comes over RTP: no configuration beforehand, and losses.
@Suite struct WebRTCSourceTests {
    struct Clip: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sample: MediaSample
    }

    /// The sample's frames as a depacketizer gives them: byte streams or temporal units, with what the record tells in
    /// front of key frames.
    private func inBand(_ sample: MediaSample) throws -> [EncodedFrame] {
        let record = sample.record?.copied() ?? []
        return try sample.frames.map { frame in
            var writer = SlabWriter()
            switch frame.codec {
            case .video(.h264) where !record.isEmpty:
                let configuration = try AVCConfiguration(record.rawSpan)
                if frame.isKey { configuration.appendAnnexBParameterSets(to: &writer) }
                try NALUnitFraming.appendAnnexB(
                    lengthPrefixed: frame.payload.bytes, lengthSize: configuration.lengthSize, to: &writer)
            case .video(.hevc):
                let configuration = try HEVCConfiguration(record.rawSpan)
                for unit in configuration.arrays.flatMap(\.units) where frame.isKey {
                    writer.append([0, 0, 0, 1] + unit)
                }
                try NALUnitFraming.appendAnnexB(
                    lengthPrefixed: frame.payload.bytes, lengthSize: configuration.lengthSize, to: &writer)
            case .video(.av1):
                if frame.isKey { writer.append(try AV1Configuration(record.rawSpan).units) }
                writer.append(frame.payload.bytes)
            default: writer.append(frame.payload.bytes)
            }
            var changed = frame
            changed.payload = writer.seal()
            return changed
        }
    }

    @Test(
        "every codec decodes without a configuration, each picture with its frame",
        arguments: [
            Clip(testDescription: "H.264 High", sample: .h264WidePixels),
            Clip(testDescription: "H.264 that does not tell its order", sample: .h264Plain),
            Clip(testDescription: "H.264 10 bit", sample: .h264TenBit),
            Clip(testDescription: "HEVC", sample: .hevc), Clip(testDescription: "AV1", sample: .av1),
            Clip(testDescription: "VP9", sample: .vp9), Clip(testDescription: "VP9 layers", sample: .vp9Layers),
        ])
    func withoutConfiguration(clip: Clip) throws {
        guard case .video(let codec) = clip.sample.codec else { return }
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(VideoConfiguration(codec: codec, record: nil))
        for frame in try inBand(clip.sample) {
            var out = Collected()
            try pipeline.process(frame) { out.add($0) }
            #expect(out.times(.high) == [frame.pts / 1_000_000])
        }
        #expect(pipeline.statistics.decoderErrors == 0)
    }

    @Test("of several spatial layers the highest is the picture")
    func layers() throws {
        let pictures = try decodedPictures(MediaSample.vp9Layers.frames)
        #expect(pictures.map(\.size) == Array(repeating: PictureSize(160, 96), count: 3))
    }

    @Test(
        "a change of size inside of the stream changes the ladder and costs no picture",
        arguments: [VideoCodec.h264, .vp8])
    func sizeChange(codec: VideoCodec) throws {
        let pipeline = try VideoPipeline.small(qualities: [.high])
        try pipeline.configure(VideoConfiguration(codec: codec, record: nil))
        var out = Collected()
        let (small, large) = (try TestVideo(160, 96, codec: codec), try TestVideo(320, 192, codec: codec))
        for index in 0..<Int64(4) { try pipeline.process(try small.next(at: index * 40)) { out.add($0) } }
        for index in 4..<Int64(8) { try pipeline.process(try large.next(at: index * 40)) { out.add($0) } }
        #expect(out.times(.high) == (0..<8).map { $0 * 40 })
        #expect(out.keys(.high) == [0, 160])
        #expect(
            try decodedPictures(out.frames.map(\.frame)).map(\.size.width) == [160, 160, 160, 160, 320, 320, 320, 320])
    }
}

@Suite struct OpusLossTests {
    /// A tone of `hertz`, in `channels`, as packets of 20 ms.
    private func packets(_ count: Int, channels: Int = 1, quiet: Int? = nil) throws -> [EncodedFrame] {
        let encoder = try OpusEncoder(AudioSpec(channels: channels, usesDTX: false))
        encoder.setPacketLoss(percent: 20)
        return try (0..<count).map { index in
            let samples = (0..<AudioSpec.frameSamples * channels).map { place -> Float in
                if place % channels == quiet { return 0 }
                let phase = Float((index * AudioSpec.frameSamples + place / channels) % 48) / 48
                return phase < 0.5 ? 16 * phase * (0.5 - phase) * 0.5 : -16 * (phase - 0.5) * (1 - phase) * 0.5
            }
            var packet: [UInt8] = []
            try encoder.encode(samples.span) { packet = $0.copied() }
            return EncodedFrame(
                codec: .audio(.opus), pts: Int64(index) * 20_000_000, dts: Int64(index) * 20_000_000, isKey: true,
                payload: SlabSlice(copying: packet))
        }
    }

    private func decode(_ frames: [EncodedFrame], channels: Int = 1) throws -> [(pts: Int64, samples: [Float])] {
        let decoder = try AudioDecoder(
            AudioConfiguration(codec: .opus, record: nil, sampleRate: 48_000, channels: channels))
        let decoded = AVFrameRef()
        var runs: [(pts: Int64, samples: [Float])] = []
        for frame in frames {
            try decoder.send(frame)
            while try decoder.receive(decoded) {
                var resampler = AudioResampler(channels: channels)
                var samples: [Float] = []
                let pts = decoded.pts
                try resampler.convert(decoded, into: &samples)
                try resampler.flush(into: &samples)
                runs.append((pts, samples))
            }
        }
        return runs
    }

    @Test("lost packets are filled, so that no time is missing and the sound goes on", arguments: [1, 2, 3, 6])
    func filled(lost: Int) throws {
        var frames = try packets(30)
        frames.removeSubrange(15..<15 + lost)
        let runs = try decode(frames)
        #expect(runs.count == 30 - lost)
        #expect(runs[15].pts == 300_000_000)
        #expect(abs(runs[15].samples.count - 960 * (lost + 1)) < 64)
        let loudness = runs[15].samples.prefix(900).map(abs).max() ?? 0
        #expect(loudness > 0.1)
        #expect(runs[16].pts == Int64(16 + lost) * 20_000_000)
    }

    @Test("a gap longer than a packet can be stays a gap, and so does a step back")
    func longGap() throws {
        var frames = try packets(30)
        frames.removeSubrange(10..<17)
        let runs = try decode(frames)
        #expect(runs[10].pts == 17 * 20_000_000 && runs[10].samples.count < 1_100)
        let back = try decode([frames[5], frames[3]])
        #expect(back.map(\.pts) == [100_000_000, 60_000_000])
    }

    @Test("pauses are not filled")
    func pauses() throws {
        var frames = try packets(6)
        // A mono CELT packet of 20 ms without data.
        frames[2].payload = SlabSlice(copying: [0xF8])
        frames.removeSubrange(3..<5)
        let runs = try decode(frames)
        #expect(runs.map(\.pts) == [0, 20_000_000, 40_000_000, 100_000_000])
        #expect(runs[3].samples.count < 1_100)
    }

    @Test("both channels are kept apart")
    func stereo() throws {
        let runs = try decode(try packets(10, channels: 2, quiet: 1), channels: 2)
        let samples = try #require(runs.last).samples
        let left = stride(from: 0, to: samples.count, by: 2).map { abs(samples[$0]) }.max() ?? 0
        let right = stride(from: 1, to: samples.count, by: 2).map { abs(samples[$0]) }.max() ?? 1
        #expect(left > 0.3 && right < 0.1)
    }

    @Test("a pipeline that loses a packet in ten has no jump, and gives all the time it was given")
    func pipeline() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec(channels: 1, usesDTX: false))
        try pipeline.configure(AudioConfiguration(codec: .opus, record: nil, sampleRate: 48_000, channels: 1))
        var times: [Int64] = []
        for (index, frame) in try packets(101).enumerated() where index % 10 != 5 {
            try pipeline.process(frame) { times.append($0.frame.pts) }
        }
        #expect(pipeline.statistics.jumps == 0 && times.count >= 99)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 20_000_000 })
    }

    @Test("what is no Opus is refused, and the next packet decodes")
    func malformed() throws {
        var frames = try packets(3)
        frames[1].payload = SlabSlice(copying: [0xFF, 0])
        let decoder = try AudioDecoder(AudioConfiguration(codec: .opus, record: nil, sampleRate: 0, channels: 0))
        try decoder.send(frames[0])
        #expect(throws: TranscodeError.self) { try decoder.send(frames[1]) }
        try decoder.send(frames[2])
        let decoded = AVFrameRef()
        #expect(try decoder.receive(decoded))
        #expect(try !decoder.receive(decoded))
    }
}
