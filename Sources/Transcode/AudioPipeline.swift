package import Bytes
import CFFmpeg
package import Media

/// One Opus packet, with what its RTP packet says of its loudness.
package struct AudioOutput: Sendable {
    /// `pts` is the time of the first sample on the source's timeline.
    package let frame: EncodedFrame
    package let level: AudioLevel
}

/// What an `AudioPipeline` has done so far; a value without references.
package struct AudioStatistics: Sendable, Hashable {
    package var codec: AudioCodec?
    package var sourceRate = 0
    package var sourceChannels = 0
    package var framesIn: UInt64 = 0
    package var packetsOut: UInt64 = 0
    /// Packets that DTX left out.
    package var packetsSilent: UInt64 = 0
    package var bytesOut: UInt64 = 0
    package var decoderErrors: UInt64 = 0
    /// Times that the source's clock jumped, the beginning not counted.
    package var jumps: UInt64 = 0
    /// Decoded runs of samples that lay in time already sent.
    package var overlapsDropped: UInt64 = 0
    /// Distance of the source's times from the sample clock, smoothed, in nanoseconds.
    package var drift: Int64 = 0
    package var level = AudioLevel.silence
    /// Time spent on decoding and resampling, and on encoding.
    package var decode = VideoStatistics.Timing()
    package var encode = VideoStatistics.Timing()

    package init() {}
}

/// Coded audio in, Opus out: decode, resample, encode, without a queue beyond the packet being filled.
///
/// Confined to one thread at a time. Times come from the source: the sample clock follows them by stretching while they
/// drift, and jumps where they jump, so that a gap stays a gap and nothing is held back.
package final class AudioPipeline {
    package let spec: AudioSpec
    private let slabPool: SlabPool?
    private let clock: () -> Monotonic

    private var decoder: AudioDecoder?
    private var configuration: AudioConfiguration?
    private let decoded = AVFrameRef()
    private var resampler: AudioResampler
    private let encoder: OpusEncoder
    private var timeline = AudioTimeline()
    /// Interleaved samples that do not fill a packet yet.
    private var waiting: [Float] = []

    package private(set) var statistics = AudioStatistics()

    /// - Parameters:
    ///   - slabPool: where packets get their memory.
    ///   - clock: read around decoding and encoding, for `statistics` only.
    package init(
        spec: AudioSpec, slabPool: SlabPool? = nil, clock: @escaping () -> Monotonic = { .zero }
    ) throws(TranscodeError) {
        self.spec = spec
        self.slabPool = slabPool
        self.clock = clock
        resampler = AudioResampler(channels: spec.channels)
        encoder = try OpusEncoder(spec)
    }

    /// Takes the source's configuration, at the start and whenever it changes. Repeats of the same one are free.
    package func configure(_ configuration: AudioConfiguration) throws(TranscodeError) {
        if decoder != nil, let current = self.configuration, current.isSame(as: configuration) { return }
        decoder = try AudioDecoder(configuration)
        self.configuration = configuration
        statistics.codec = configuration.codec
    }

    /// Decodes one frame and hands out the packets that became full.
    ///
    /// After an error of severity `drop` the next frame may be tried.
    package func process(_ frame: EncodedFrame, output: (AudioOutput) -> Void) throws(TranscodeError) {
        guard let decoder, frame.codec == .audio(decoder.codec) else { throw .notConfigured }
        guard TranscodeLimits.times.contains(frame.pts), TranscodeLimits.times.contains(frame.dts) else {
            throw .formatOutOfLimits
        }
        statistics.framesIn &+= 1
        let start = clock()
        do {
            try decoder.send(frame)
            while try decoder.receive(decoded) {
                try take(frame.pts, output)
                decoded.clear()
            }
        } catch {
            decoded.clear()
            if error.severity == .drop { statistics.decoderErrors &+= 1 }
            throw error
        }
        statistics.decode.record(clock() - start)
        try encodeFullPackets(output)
    }

    /// The source ended or paused: hands out what waits, filled up with silence.
    package func finish(output: (AudioOutput) -> Void) throws(TranscodeError) {
        try resampler.flush(into: &waiting)
        try flushWaiting(output)
    }

    /// Bits per second, held within Opus's range.
    package func setBitrate(_ bitrate: Int) { encoder.setBitrate(bitrate) }

    /// What receivers report as lost, in packets of a hundred; above zero Opus adds forward error correction.
    package func setPacketLoss(percent: Int) { encoder.setPacketLoss(percent: percent) }

    /// Puts the decoded samples on the timeline and resamples them.
    private func take(_ framePTS: Int64, _ output: (AudioOutput) -> Void) throws(TranscodeError) {
        let raw = decoded.raw.pointee
        let pts = TranscodeLimits.times.contains(raw.pts) ? raw.pts : framePTS
        statistics.sourceRate = Int(raw.sample_rate)
        statistics.sourceChannels = Int(raw.ch_layout.nb_channels)
        let pending = Int64(waiting.count / spec.channels) + resampler.delaySamples
        switch timeline.judge(pts, waiting: pending) {
        case .follow: break
        case .overlap:
            statistics.overlapsDropped &+= 1
            return
        case .jump:
            if timeline.position != nil { statistics.jumps &+= 1 }
            try resampler.flush(into: &waiting)
            try flushWaiting(output)
            timeline.restart(at: pts)
        }
        let before = waiting.count
        try resampler.convert(decoded, into: &waiting)
        statistics.drift = timeline.drift
        if let delta = timeline.correction(after: Int64((waiting.count - before) / spec.channels)) {
            try resampler.compensate(delta, over: Int32(AudioTimeline.correctionSamples))
        }
    }

    private func flushWaiting(_ output: (AudioOutput) -> Void) throws(TranscodeError) {
        try encodeFullPackets(output)
        guard !waiting.isEmpty else { return }
        let missing = AudioSpec.frameSamples * spec.channels - waiting.count
        waiting.append(contentsOf: repeatElement(0, count: missing))
        try encodeFullPackets(output)
    }

    private func encodeFullPackets(_ output: (AudioOutput) -> Void) throws(TranscodeError) {
        let packetSamples = AudioSpec.frameSamples * spec.channels
        var used = 0
        defer { waiting.removeFirst(used) }
        while waiting.count - used >= packetSamples, let pts = timeline.position {
            let start = clock()
            let samples = waiting.span.extracting(used..<used + packetSamples)
            used += packetSamples
            timeline.advance(Int64(AudioSpec.frameSamples))
            let level = AudioLevel(of: samples)
            statistics.level = level
            var isSent = false
            try encoder.encode(samples) { packet in
                isSent = true
                statistics.packetsOut &+= 1
                statistics.bytesOut &+= UInt64(packet.byteCount)
                let payload = SlabSlice(copying: packet, pool: slabPool)
                let frame = EncodedFrame(codec: .audio(.opus), pts: pts, dts: pts, isKey: true, payload: payload)
                output(AudioOutput(frame: frame, level: level))
            }
            if !isSent { statistics.packetsSilent &+= 1 }
            statistics.encode.record(clock() - start)
        }
    }
}

extension AudioConfiguration {
    /// Same codec, rate, channels and record, byte for byte.
    func isSame(as other: AudioConfiguration) -> Bool {
        guard codec == other.codec, sampleRate == other.sampleRate, channels == other.channels else { return false }
        return switch (record, other.record) {
        case (nil, nil): true
        case (let a?, let b?): a.bytes.elementsEqual(b.bytes)
        default: false
        }
    }
}
