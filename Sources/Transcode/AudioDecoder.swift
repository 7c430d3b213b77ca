import Bytes
import CFFmpeg
package import Media

/// The decoder for one audio track: libavcodec's, or libopus for Opus without a header. Confined to one thread at a time.
package final class AudioDecoder {
    package let codec: AudioCodec
    /// Nil where libopus decodes.
    private let context: UnsafeMutablePointer<AVCodecContext>?
    private let opus: OpusDecoder?
    private let packet = AVPacketRef()

    package init(_ configuration: AudioConfiguration) throws(TranscodeError) {
        _ = AVCode.silence
        codec = configuration.codec
        if codec == .opus, configuration.record == nil {
            context = nil
            opus = try OpusDecoder(channels: configuration.channels)
            return
        }
        opus = nil
        guard let decoder = avcodec_find_decoder(Self.id(of: codec)) else { throw .unsupportedAudio }
        guard let context = avcodec_alloc_context3(decoder) else { throw .decoderRefused(AVCode.outOfMemory) }
        self.context = context
        let (rate, channels) = (configuration.sampleRate, configuration.channels)
        guard rate == 0 || TranscodeLimits.audioRates.contains(rate),
            (0...TranscodeLimits.maxAudioChannels).contains(channels)
        else { throw .formatOutOfLimits }
        context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
        context.pointee.thread_count = 1
        context.pointee.sample_rate = Int32(rate == 0 ? Self.usualRate(of: codec) : rate)
        let usualChannels: Int = channels == 0 ? Self.usualChannels(of: codec) : channels
        if usualChannels > 0 { av_channel_layout_default(&context.pointee.ch_layout, Int32(usualChannels)) }
        if let record = configuration.record, !record.isEmpty { try context.setExtradata(record) }
        let status = avcodec_open2(context, decoder, nil)
        guard status == 0 else { throw .decoderRefused(status) }
    }

    deinit {
        var context = context
        avcodec_free_context(&context)
    }

    /// Hands over one packet; its samples are then taken with `receive`. The payload is not copied.
    package func send(_ frame: EncodedFrame) throws(TranscodeError) {
        guard !frame.payload.isEmpty else { return }
        if let opus { return try opus.send(frame.payload.bytes, pts: frame.pts) }
        try packet.lend(frame.payload, pts: frame.pts, dts: frame.dts, isKey: true)
        defer { packet.clear() }
        let status = avcodec_send_packet(context, packet.raw)
        guard status >= 0 else { throw .undecodable(status) }
    }

    /// Takes the next run of samples, with its presentation time in nanoseconds; false when the decoder wants more
    /// input.
    package func receive(_ samples: borrowing AVFrameRef) throws(TranscodeError) -> Bool {
        if let opus { return try opus.receive(samples) }
        let status = avcodec_receive_frame(context, samples.raw)
        if status == AVCode.again || status == AVCode.endOfFile { return false }
        guard status == 0 else { throw .undecodable(status) }
        return true
    }

    private static func id(of codec: AudioCodec) -> AVCodecID {
        switch codec {
        case .aac: AV_CODEC_ID_AAC
        case .opus: AV_CODEC_ID_OPUS
        case .mp3: AV_CODEC_ID_MP3
        case .flac: AV_CODEC_ID_FLAC
        case .ac3: AV_CODEC_ID_AC3
        case .eac3: AV_CODEC_ID_EAC3
        case .pcmALaw: AV_CODEC_ID_PCM_ALAW
        case .pcmMuLaw: AV_CODEC_ID_PCM_MULAW
        case .g722: AV_CODEC_ID_ADPCM_G722
        case .pcmS16LE: AV_CODEC_ID_PCM_S16LE
        case .pcmU8: AV_CODEC_ID_PCM_U8
        case .adpcm: AV_CODEC_ID_ADPCM_SWF
        case .nellymoser: AV_CODEC_ID_NELLYMOSER
        case .speex: AV_CODEC_ID_SPEEX
        }
    }

    /// What a codec without a header of its own runs at when its container says nothing.
    private static func usualRate(of codec: AudioCodec) -> Int {
        switch codec {
        case .pcmALaw, .pcmMuLaw, .nellymoser: 8_000
        case .speex, .g722: 16_000
        case .pcmS16LE, .pcmU8, .adpcm: 44_100
        case .aac, .opus, .mp3, .flac, .ac3, .eac3: 0
        }
    }

    private static func usualChannels(of codec: AudioCodec) -> Int {
        switch codec {
        case .pcmALaw, .pcmMuLaw, .g722, .nellymoser, .speex, .pcmS16LE, .pcmU8, .adpcm: 1
        case .aac, .opus, .mp3, .flac, .ac3, .eac3: 0
        }
    }
}
