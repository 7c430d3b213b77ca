import CFFmpeg
import COpus
import Transcode

/// libavcodec, libswresample and libopus in a row.
final class FloorAudio {
    private(set) var packets = 0

    private let spec: AudioSpec
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let frame: UnsafeMutablePointer<AVFrame>
    private var resampler: OpaquePointer?
    private let encoder: OpaquePointer
    private var scratch = [Float](repeating: 0, count: 1 << 16)
    private var waiting: [Float] = []
    private var packet = [UInt8](repeating: 0, count: 1276)

    init(record: [UInt8], spec: AudioSpec) throws {
        self.spec = spec
        let decoder = avcodec_find_decoder(AV_CODEC_ID_AAC)
        var status: Int32 = 0
        guard let context = avcodec_alloc_context3(decoder), let frame = av_frame_alloc(),
            let encoder = opus_encoder_create(
                Int32(AudioSpec.sampleRate), Int32(spec.channels), OPUS_APPLICATION_AUDIO, &status)
        else { throw BenchError("out of memory") }
        (self.context, self.frame, self.encoder) = (context, frame, encoder)
        context.pointee.thread_count = 1
        context.setRecord(record)
        guard avcodec_open2(context, decoder, nil) == 0 else { throw BenchError("the audio decoder does not open") }
        _ = shim_opus_set_bitrate(encoder, Int32(spec.bitrate))
        _ = shim_opus_set_vbr(encoder, 1)
        _ = shim_opus_set_complexity(encoder, Int32(spec.complexity))
        _ = shim_opus_set_inband_fec(encoder, 1)
        _ = shim_opus_set_dtx(encoder, spec.usesDTX ? 1 : 0)
    }

    deinit {
        opus_encoder_destroy(encoder)
        swr_free(&resampler)
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    func process(_ packet: UnsafeMutablePointer<AVPacket>) throws {
        guard avcodec_send_packet(context, packet) == 0 else { throw BenchError("the clip's sound does not decode") }
        while avcodec_receive_frame(context, frame) == 0 {
            if resampler == nil { try openResampler() }
            resample()
            av_frame_unref(frame)
        }
        let count = AudioSpec.frameSamples * spec.channels
        var used = 0
        while waiting.count - used >= count {
            let size = waiting.withUnsafeBufferPointer {
                opus_encode_float(
                    encoder, $0.baseAddress! + used, Int32(AudioSpec.frameSamples), &self.packet,
                    Int32(self.packet.count))
            }
            guard size > 0 else { throw BenchError("Opus fails") }
            used += count
            packets += 1
        }
        waiting.removeFirst(used)
    }

    private func openResampler() throws {
        var target = AVChannelLayout()
        av_channel_layout_default(&target, Int32(spec.channels))
        let status = swr_alloc_set_opts2(
            &resampler, &target, AV_SAMPLE_FMT_FLT, Int32(AudioSpec.sampleRate), &frame.pointee.ch_layout,
            AVSampleFormat(frame.pointee.format), frame.pointee.sample_rate, 0, nil)
        guard status == 0, let resampler else { throw BenchError("the resampler does not open") }
        av_opt_set_double(UnsafeMutableRawPointer(resampler), "rematrix_maxval", 1, 0)
        av_opt_set_int(UnsafeMutableRawPointer(resampler), "flags", Int64(SWR_FLAG_RESAMPLE), 0)
        guard swr_init(resampler) >= 0 else { throw BenchError("the resampler does not open") }
    }

    private func resample() {
        let planes = UnsafeMutableRawPointer(frame.pointee.extended_data!).assumingMemoryBound(
            to: UnsafePointer<UInt8>?.self)
        let room = Int32(scratch.count / spec.channels)
        let made = scratch.withUnsafeMutableBytes { bytes in
            var target = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return swr_convert(resampler, &target, room, planes, frame.pointee.nb_samples)
        }
        if made > 0 { waiting.append(contentsOf: scratch[..<(Int(made) * spec.channels)]) }
    }
}
