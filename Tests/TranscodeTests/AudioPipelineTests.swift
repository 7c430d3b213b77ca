import Bytes
import Media
import Testing
import Transcode

@Suite struct AudioPipelineTests {
    /// 16-bit PCM of one tone, in frames of 10 ms.
    struct Tone {
        var rate = 48_000
        var channels = 2
        var amplitude = 0.5
        private var index = 0

        init(rate: Int = 48_000, channels: Int = 2, amplitude: Double = 0.5) {
            self.rate = rate
            self.channels = channels
            self.amplitude = amplitude
        }

        var configuration: AudioConfiguration {
            AudioConfiguration(codec: .pcmS16LE, record: nil, sampleRate: rate, channels: channels)
        }

        /// A square wave of 500 Hz: its mean square is the amplitude's square, without any library's sine.
        mutating func next(at milliseconds: Double) -> EncodedFrame {
            var bytes: [UInt8] = []
            for _ in 0..<rate / 100 {
                let value = Int16(32767 * amplitude) * (index * 1000 / rate % 2 == 0 ? 1 : -1)
                for _ in 0..<channels {
                    bytes.append(UInt8(truncatingIfNeeded: value))
                    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
                }
                index += 1
            }
            let pts = Int64(milliseconds * 1e6)
            return EncodedFrame(
                codec: .audio(.pcmS16LE), pts: pts, dts: pts, isKey: true, payload: SlabSlice(copying: bytes))
        }
    }

    private func milliseconds(_ outputs: [AudioOutput]) -> [Int64] { outputs.map { $0.frame.pts / 1_000_000 } }

    @Test("packets of 20 ms follow each other on the source's timeline")
    func times() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec(), slabPool: SlabPool())
        var tone = Tone()
        try pipeline.configure(tone.configuration)
        var out: [AudioOutput] = []
        for index in 0..<20 { try pipeline.process(tone.next(at: 5000 + Double(index) * 10)) { out.append($0) } }
        try pipeline.finish { out.append($0) }
        #expect(milliseconds(out) == (0..<10).map { 5000 + Int64($0) * 20 })
        #expect(out.allSatisfy { $0.frame.codec == .audio(.opus) && $0.frame.isKey && $0.frame.dts == $0.frame.pts })
        // TOC: CELT full band or hybrid, 20 ms, one frame.
        for packet in out { #expect(try OpusPacket(packet.frame.payload.bytes).duration48k == 960) }
    }

    @Test("a gap stays a gap: what waits goes out at once and the next packet has the new time")
    func gap() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        var tone = Tone()
        try pipeline.configure(tone.configuration)
        var out: [AudioOutput] = []
        for index in 0..<5 { try pipeline.process(tone.next(at: Double(index) * 10)) { out.append($0) } }
        #expect(milliseconds(out) == [0, 20])
        for index in 0..<4 { try pipeline.process(tone.next(at: 500 + Double(index) * 10)) { out.append($0) } }
        try pipeline.finish { out.append($0) }
        #expect(milliseconds(out) == [0, 20, 40, 500, 520])
        #expect(pipeline.statistics.jumps == 1)
    }

    @Test("samples for time already sent are dropped, a source that starts anew is followed")
    func backwards() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        var tone = Tone()
        try pipeline.configure(tone.configuration)
        var out: [AudioOutput] = []
        for time in [5000.0, 5010, 5020, 5030, 4800, 4810, 5040, 5050] {
            try pipeline.process(tone.next(at: time)) { out.append($0) }
        }
        for time in [100.0, 110, 120, 130] { try pipeline.process(tone.next(at: time)) { out.append($0) } }
        try pipeline.finish { out.append($0) }
        let times = milliseconds(out)
        #expect(times == [5000, 5020, 5040, 100, 120] || times == [5000, 5020, 5040, 5060, 100, 120])
        #expect(pipeline.statistics.overlapsDropped == 2)
    }

    @Test("a clock that runs away slowly is followed by stretching, without a jump")
    func drift() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec(channels: 1, complexity: 0))
        var tone = Tone(channels: 1)
        try pipeline.configure(tone.configuration)
        var last: Int64 = 0
        var count: Int64 = 0
        for index in 0..<3000 {
            try pipeline.process(tone.next(at: Double(index) * 10 * 1.001)) {
                last = $0.frame.pts
                count += 1
            }
        }
        #expect(pipeline.statistics.jumps == 0)
        #expect(pipeline.statistics.drift.magnitude < 5_000_000)
        // There is a packet more than there were samples for.
        #expect((30_000_000_000...30_030_000_000).contains(last), "\(last)")
        #expect(last == (count - 1) * 20_000_000)
    }

    @Test("any rate and number of channels becomes 48 kHz", arguments: [8_000, 11_025, 16_000, 22_050, 44_100, 96_000])
    func rates(rate: Int) throws {
        for channels in [1, 2, 6] {
            let pipeline = try AudioPipeline(spec: AudioSpec())
            var tone = Tone(rate: rate, channels: channels)
            try pipeline.configure(tone.configuration)
            var out: [AudioOutput] = []
            // 11,025 and 22,050 Hz have no whole 10 ms: the time of a frame is its samples'.
            let step = Double(rate / 100) * 1000 / Double(rate)
            for index in 0..<100 { try pipeline.process(tone.next(at: Double(index) * step)) { out.append($0) } }
            #expect((48...50).contains(out.count), "\(rate) \(channels) \(out.count)")
            #expect(pipeline.statistics.jumps == 0)
            #expect(pipeline.statistics.sourceRate == rate && pipeline.statistics.sourceChannels == channels)
        }
    }

    @Test("the level of each packet is in dB below full scale")
    func level() throws {
        for (amplitude, expected) in [(1.0, 0...1), (0.5, 6...7), (0.1, 19...21), (0.0, 127...127)] {
            let pipeline = try AudioPipeline(spec: AudioSpec(usesDTX: false))
            var tone = Tone(amplitude: amplitude)
            try pipeline.configure(tone.configuration)
            var levels: [Int] = []
            for index in 0..<20 {
                try pipeline.process(tone.next(at: Double(index) * 10)) { levels.append(Int($0.level.minusDecibels)) }
            }
            #expect(levels.dropFirst(2).allSatisfy { expected.contains($0) }, "\(amplitude): \(levels)")
        }
    }

    @Test("silence costs almost no packets with DTX and all of them without")
    func dtx() throws {
        for (usesDTX, expected) in [(true, 1...30), (false, 99...100)] {
            let pipeline = try AudioPipeline(spec: AudioSpec(usesDTX: usesDTX))
            var tone = Tone(amplitude: 0)
            try pipeline.configure(tone.configuration)
            var out: [AudioOutput] = []
            for index in 0..<200 { try pipeline.process(tone.next(at: Double(index) * 10)) { out.append($0) } }
            #expect(expected.contains(out.count), "\(usesDTX): \(out.count)")
            #expect(UInt64(out.count) + pipeline.statistics.packetsSilent >= 99)
        }
    }

    @Test("a change of rate and channels amid the stream neither breaks the times nor the sound")
    func configurationChange() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        var out: [AudioOutput] = []
        var first = Tone(rate: 48_000, channels: 2)
        try pipeline.configure(first.configuration)
        for index in 0..<50 { try pipeline.process(first.next(at: Double(index) * 10)) { out.append($0) } }
        var second = Tone(rate: 44_100, channels: 1)
        try pipeline.configure(second.configuration)
        for index in 50..<100 { try pipeline.process(second.next(at: Double(index) * 10)) { out.append($0) } }
        try pipeline.finish { out.append($0) }
        #expect(Array(milliseconds(out).prefix(50)) == (0..<50).map { Int64($0) * 20 })
        let levels = out.map(\.level.minusDecibels)
        // One channel on two gets 3 dB less on each, as in FFmpeg.
        #expect(
            levels[2..<24].allSatisfy { (5...8).contains($0) } && levels[27..<48].allSatisfy { (8...11).contains($0) },
            "\(levels)")
        #expect(pipeline.statistics.jumps == 0)
    }

    @Test("a frame before configuration, or of another codec, is refused")
    func notConfigured() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        var tone = Tone()
        #expect(throws: TranscodeError.notConfigured) { try pipeline.process(tone.next(at: 0)) { _ in } }
        try pipeline.configure(AudioConfiguration(codec: .aac, record: nil, sampleRate: 48_000, channels: 2))
        #expect(throws: TranscodeError.notConfigured) { try pipeline.process(tone.next(at: 0)) { _ in } }
    }

    @Test(
        "rates and channels outside the limits are refused",
        arguments: [(3_999, 1), (192_001, 1), (48_000, 17), (-1, 1), (48_000, -1)])
    func limits(rate: Int, channels: Int) throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        let configuration = AudioConfiguration(codec: .pcmS16LE, record: nil, sampleRate: rate, channels: channels)
        #expect(throws: TranscodeError.formatOutOfLimits) { try pipeline.configure(configuration) }
    }

    @Test("bit rate and expected loss take any value")
    func controls() throws {
        let pipeline = try AudioPipeline(spec: AudioSpec())
        var tone = Tone()
        try pipeline.configure(tone.configuration)
        var count = 0
        for (index, value) in [Int.min, -1, 0, 6_000, 64_000, 510_000, .max].enumerated() {
            pipeline.setBitrate(value)
            pipeline.setPacketLoss(percent: value)
            for step in 0..<4 { try pipeline.process(tone.next(at: Double(index * 4 + step) * 10)) { _ in count += 1 } }
        }
        #expect(count >= 13)
    }
}
