import CFFmpeg

/// libswresample: any rate, layout and sample format to interleaved 48 kHz float, mono or stereo.
///
/// More channels are mixed down with the standard coefficients and then scaled so that no input can clip, as FFmpeg
/// does it for integer samples. The filter runs at equal rates too, because only then can it stretch without a break in
/// the sound.
package struct AudioResampler: ~Copyable {
    private struct Input: Equatable {
        let rate: Int32
        let format: Int32
        let channels: Int32
        let order: AVChannelOrder
        let mask: UInt64

        init(_ frame: AVFrame) {
            rate = frame.sample_rate
            format = frame.format
            channels = frame.ch_layout.nb_channels
            order = frame.ch_layout.order
            mask = frame.ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? frame.ch_layout.u.mask : 0
        }
    }

    private var context: OpaquePointer?
    private var input: Input?
    private let channels: Int
    private var scratch: [Float] = []

    package init(channels: Int) { self.channels = channels }

    deinit {
        var context = context
        swr_free(&context)
    }

    /// Samples per channel at 48 kHz that are still inside the filter.
    package var delaySamples: Int64 { context.map { swr_get_delay($0, Int64(AudioSpec.sampleRate)) } ?? 0 }

    /// Converts `frame` and appends the result to `samples`. A new format first brings out what the old one left in the
    /// filter.
    package mutating func convert(_ frame: borrowing AVFrameRef, into samples: inout [Float]) throws(TranscodeError) {
        let raw = frame.raw.pointee
        guard TranscodeLimits.audioRates.contains(Int(raw.sample_rate)), raw.nb_samples > 0,
            Int(raw.nb_samples) <= TranscodeLimits.maxAudioFrameSamples, raw.ch_layout.nb_channels > 0,
            Int(raw.ch_layout.nb_channels) <= TranscodeLimits.maxAudioChannels, raw.extended_data != nil
        else { throw .formatOutOfLimits }
        let wanted = Input(raw)
        if wanted != input {
            try flush(into: &samples)
            try open(raw, as: wanted)
        }
        let planes = UnsafeMutableRawPointer(raw.extended_data).assumingMemoryBound(to: UnsafePointer<UInt8>?.self)
        try run(planes, raw.nb_samples, into: &samples)
    }

    /// Brings out what is left in the filter and forgets the input's format.
    package mutating func flush(into samples: inout [Float]) throws(TranscodeError) {
        guard context != nil else { return }
        try run(nil, 0, into: &samples)
        input = nil
        swr_free(&context)
    }

    /// Stretches the next `distance` samples by `delta` samples; negative values shorten.
    package mutating func compensate(_ delta: Int32, over distance: Int32) throws(TranscodeError) {
        guard let context else { return }
        let status = swr_set_compensation(context, delta, distance)
        guard status >= 0 else { throw .resamplerRefused(status) }
    }

    private mutating func run(
        _ planes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ count: Int32, into samples: inout [Float]
    ) throws(TranscodeError) {
        let room = swr_get_out_samples(context, count)
        guard room >= 0 else { throw .resamplerRefused(room) }
        guard room > 0 else { return }
        let needed = Int(room) * channels
        if scratch.count < needed { scratch = [Float](repeating: 0, count: needed) }
        let made = scratch.withUnsafeMutableBytes { bytes in
            var target = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return swr_convert(context, &target, room, planes, count)
        }
        guard made >= 0 else { throw .resamplerRefused(made) }
        samples.append(contentsOf: scratch[..<(Int(made) * channels)])
    }

    private mutating func open(_ frame: AVFrame, as wanted: Input) throws(TranscodeError) {
        var source = AVChannelLayout()
        // Layouts without names get the usual ones for their number of channels.
        let isNative = wanted.order == AV_CHANNEL_ORDER_NATIVE
        av_channel_layout_default(&source, wanted.channels)
        if isNative { _ = av_channel_layout_from_mask(&source, wanted.mask) }
        var target = AVChannelLayout()
        av_channel_layout_default(&target, Int32(channels))
        defer {
            av_channel_layout_uninit(&source)
            av_channel_layout_uninit(&target)
        }
        let status = swr_alloc_set_opts2(
            &context, &target, AV_SAMPLE_FMT_FLT, Int32(AudioSpec.sampleRate), &source, AVSampleFormat(wanted.format),
            wanted.rate, 0, nil)
        guard status == 0, let context else { throw .resamplerRefused(status) }
        let object = UnsafeMutableRawPointer(context)
        // Unscaled: a downmix is as loud as its source (BS.1770 loudness of 5.1 is kept within a few tenths of a decibel), and the
        // rare peak above full scale is rounded off by the encoder's soft clip. Scaling for the worst case costs 7.7 dB always.
        av_opt_set_double(object, "rematrix_maxval", Double(Int32.max), 0)
        av_opt_set_int(object, "flags", Int64(SWR_FLAG_RESAMPLE), 0)
        let opened = swr_init(context)
        guard opened >= 0 else {
            swr_free(&self.context)
            throw .resamplerRefused(opened)
        }
        input = wanted
    }
}
