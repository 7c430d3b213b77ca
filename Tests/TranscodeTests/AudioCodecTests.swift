import Bytes
import Media
import Testing

import Transcode

@Suite struct AudioCodecTests {
    struct Clip: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sample: MediaSample
    }

    @Test(
        "every codec with a sample is heard: the tone comes out at its level",
        arguments: [
            Clip(testDescription: "AAC", sample: .aac), Clip(testDescription: "Opus", sample: .opus),
            Clip(testDescription: "MP3", sample: .mp3),
            Clip(testDescription: "FLAC", sample: .flac), Clip(testDescription: "AC-3", sample: .ac3),
            Clip(testDescription: "E-AC-3", sample: .eac3),
            Clip(testDescription: "ADPCM", sample: .adpcm), Clip(testDescription: "Nellymoser", sample: .nellymoser),
            Clip(testDescription: "Speex", sample: .speex), Clip(testDescription: "G.722", sample: .g722),
        ])
    func codecs(clip: Clip) throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        try pipeline.configure(try #require(clip.sample.audioConfiguration))
        var levels: [UInt8] = []
        for frame in clip.sample.frames { try pipeline.process(frame) { levels.append($0.level.minusDecibels) } }
        #expect(!levels.isEmpty)
        // FFmpeg's sine has an eighth of full amplitude, and the samples were made eight times as loud: 3 dB below full
        // scale.
        #expect((2...6).contains(levels.min() ?? 127), "\(levels)")
        #expect(pipeline.statistics.decoderErrors == 0)
        #expect(pipeline.statistics.codec == clip.sample.audioConfiguration?.codec)
    }

    @Test(
        "the telephone codecs and plain PCM need no record",
        arguments: [AudioCodec.pcmALaw, .pcmMuLaw, .g722, .pcmU8, .pcmS16LE])
    func plain(codec: AudioCodec) throws {
        let pipeline = try AudioPipeline(spec: AudioSpec(channels: 1, usesDTX: false))
        try pipeline.configure(AudioConfiguration(codec: codec, record: nil, sampleRate: 0, channels: 0))
        var count = 0
        for index in 0..<Int64(10) {
            let frame = EncodedFrame(
                codec: .audio(codec), pts: index * 20_000_000, dts: 0, isKey: true,
                payload: SlabSlice(
                    copying: [UInt8](repeating: 0x55, count: codec == .pcmU8 || codec == .pcmS16LE ? 1764 : 160)))
            try pipeline.process(frame) { _ in count += 1 }
        }
        #expect(count >= 8)
    }

    /// Planar float of one value for each channel.
    private func frame(_ layout: UInt64, _ values: [Float], samples: Int = 4800) throws -> AVFrameRef {
        let frame = AVFrameRef()
        try frame.fillFloat(mask: layout, rate: 48_000, samples: samples) { channel, _ in values[channel] }
        return frame
    }

    @Test("5.1 is mixed to stereo by the standard coefficients, unscaled, so that it stays as loud")
    func downmix() throws {
        // Front left, front right, centre, low frequencies, side left, side right.
        let cases: [([Float], Float, Float)] = [
            ([1, 0, 0, 0, 0, 0], 1, 0), ([0, 1, 0, 0, 0, 0], 0, 1), ([0, 0, 1, 0, 0, 0], 0.7071, 0.7071),
            ([0, 0, 0, 1, 0, 0], 0, 0), ([0, 0, 0, 0, 1, 0], 0.7071, 0), ([1, 1, 1, 1, 1, 1], 2.4142, 2.4142),
        ]
        for (values, left, right) in cases {
            var resampler = AudioResampler(channels: 2)
            var samples: [Float] = []
            let input = try frame(0x60F, values)
            try resampler.convert(input, into: &samples)
            let middle = samples.count / 4 * 2
            #expect(abs(samples[middle] - left) < 0.003 && abs(samples[middle + 1] - right) < 0.003, "\(values)")
        }
    }

    @Test("peaks above full scale are rounded off, and the rest is left alone")
    func softClip() throws {
        let encoder = try OpusEncoder(AudioSpec(channels: 1, usesDTX: false))
        let decoder = try AudioDecoder(AudioConfiguration(codec: .opus, record: nil, sampleRate: 48_000, channels: 1))
        // A parabola for each half of a wave of 1 kHz: close to a sine, and without corners.
        let loud = (0..<AudioSpec.frameSamples).map { index in
            let place = Float(index % 24) / 12 - 1
            return (index % 48 < 24 ? 2.4 : -2.4) * (1 - place * place)
        }
        var peak: Float = 0
        for index in 0..<Int64(20) {
            var packet: [UInt8] = []
            try encoder.encode(loud.span) { packet = $0.copied() }
            let frame = EncodedFrame(
                codec: .audio(.opus), pts: index * 20_000_000, dts: 0, isKey: true, payload: SlabSlice(copying: packet))
            try decoder.send(frame)
            let decoded = AVFrameRef()
            var resampler = AudioResampler(channels: 1)
            while try decoder.receive(decoded) {
                var samples: [Float] = []
                try resampler.convert(decoded, into: &samples)
                peak = max(peak, samples.map(abs).max() ?? 0)
            }
        }
        #expect(peak > 0.5 && peak < 1.6)
    }

    @Test("stereo to mono keeps the power, mono to stereo goes to both sides")
    func monoAndStereo() throws {
        var toMono = AudioResampler(channels: 1)
        var mono: [Float] = []
        let stereo = try frame(0x3, [0.8, 0.2])
        try toMono.convert(stereo, into: &mono)
        #expect(abs(mono[mono.count / 2] - 0.7071) < 0.003)
        var toStereo = AudioResampler(channels: 2)
        var both: [Float] = []
        let single = try frame(0x4, [0.5])
        try toStereo.convert(single, into: &both)
        let middle = both.count / 4 * 2
        #expect(abs(both[middle] - both[middle + 1]) < 0.0001)
        #expect((0.34...0.51).contains(both[middle]))
    }

    @Test("a surround stream keeps the loudness of its front left channel")
    func surround() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        let sample = MediaSample.aacSurround
        try pipeline.configure(try #require(sample.audioConfiguration))
        var levels: [UInt8] = []
        for frame in sample.frames { try pipeline.process(frame) { levels.append($0.level.minusDecibels) } }
        #expect(pipeline.statistics.sourceChannels == 6)
        // -18.06 dB peak + 6 dB gain - 3.01 dB to RMS - 3.01 dB for the silent right channel.
        #expect(levels.dropFirst(2).dropLast().allSatisfy { (17...19).contains($0) }, "\(levels)")
    }

    @Test("an Opus packet in tells the level table's ends and steps")
    func levelTable() {
        #expect(AudioLevel(meanSquare: 1).minusDecibels == 0)
        #expect(AudioLevel(meanSquare: 4).minusDecibels == 0)
        #expect(AudioLevel(meanSquare: 0.5).minusDecibels == 3)
        #expect(AudioLevel(meanSquare: 0.01).minusDecibels == 20)
        #expect(AudioLevel(meanSquare: 1e-12).minusDecibels == 120)
        #expect(AudioLevel(meanSquare: 1e-13).minusDecibels == 127)
        #expect(AudioLevel.silence.minusDecibels == 127)
        #expect(AudioLevel(meanSquare: .nan).minusDecibels == 127)
    }

    @Test("an audio order without numbers gets LiveKit's, and mad numbers are held")
    func spec() {
        #expect(AudioSpec(preset: .opusStereo96) == AudioSpec(channels: 2, bitrate: 96_000))
        #expect(AudioSpec(preset: .opusMono64) == AudioSpec(channels: 1, bitrate: 64_000))
        #expect(AudioSpec.Preset.allCases.map(\.name) == ["OPUS_STEREO_96KBPS", "OPUS_MONO_64KBS"])
        #expect(
            AudioSpec().channels == 2 && AudioSpec(channels: 9).channels == 2 && AudioSpec(channels: -3).channels == 2)
        #expect(AudioSpec(bitrate: 1).bitrate == 6_000 && AudioSpec(bitrate: .max).bitrate == 510_000)
        #expect(AudioSpec(complexity: 99).complexity == 10)
        #expect(AudioSpec().usesDTX)
    }
}
