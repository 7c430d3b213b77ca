import Bytes
import CFFmpeg
package import Media

/// libavcodec's decoder for one video track, with or without a configuration beforehand: H.264 and HEVC without one come
/// as byte streams with their parameter sets, AV1 with its sequence headers. Confined to one thread at a time.
///
/// It never holds pictures back beyond what the stream's own reordering asks for: no frame threads, no look-ahead.
package final class VideoDecoder {
    /// What can be said of the stream behind the decoder.
    package struct StreamDescription: Sendable, Hashable {
        /// libavcodec's profile number, for H.264 and HEVC the bitstream's own; negative while unknown.
        package var profile: Int32 = -1
        /// Pictures that the stream's order makes the decoder hold back.
        package var reorderDepth: Int32 = 0
        /// Frames per second that the stream claims; 0 when it says nothing.
        package var claimedFrameRate = 0.0
    }

    package let codec: VideoCodec
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet = AVPacketRef()
    /// Where several layers of a picture come out one after another, the one that may not be the last.
    private let layer = AVFrameRef()
    /// A picture came out since the start, so the stream has begun.
    private var hasBegun = false
    private var isDraining = false

    /// - Parameter threads: slices of one picture decoded at a time; costs no delay.
    package init(_ configuration: VideoConfiguration, threads: Int = 1) throws(TranscodeError) {
        _ = AVCode.silence
        codec = configuration.codec
        guard let decoder = Self.decoder(for: codec) else { throw .unsupportedVideo }
        guard let context = avcodec_alloc_context3(decoder) else { throw .decoderRefused(AVCode.outOfMemory) }
        self.context = context
        context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
        context.pointee.max_pixels = TranscodeLimits.maxSourcePixels
        context.pointee.thread_count = Int32(clamping: max(threads, 1))
        context.pointee.thread_type = FF_THREAD_SLICE
        context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY
        if codec == .av1 { av_opt_set_int(context.pointee.priv_data, "max_frame_delay", 1, 0) }
        try Self.setRecord(of: configuration, on: context)
        let status = avcodec_open2(context, decoder, nil)
        guard status == 0 else { throw .decoderRefused(status) }
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    /// Hands over one coded frame; its pictures are then taken with `receive`. The payload is not copied.
    package func send(_ frame: EncodedFrame) throws(TranscodeError) {
        guard !frame.payload.isEmpty else { return }
        try packet.lend(frame.payload, pts: frame.pts, dts: frame.dts, isKey: frame.isKey)
        defer { packet.clear() }
        let status = avcodec_send_packet(context, packet.raw)
        guard status < 0 else { return }
        if !hasBegun, !frame.isKey { throw .awaitingKeyFrame }
        throw .undecodable(status)
    }

    /// Takes the next picture, with its presentation time in nanoseconds; false when the decoder wants more input.
    package func receive(_ picture: borrowing AVFrameRef) throws(TranscodeError) -> Bool {
        let status = avcodec_receive_frame(context, picture.raw)
        if status == AVCode.again || status == AVCode.endOfFile { return false }
        guard status == 0 else {
            if !hasBegun { throw .awaitingKeyFrame }
            throw .undecodable(status)
        }
        hasBegun = true
        // A VP9 picture of several spatial layers: the highest comes last, and is the picture.
        while codec == .vp9, avcodec_receive_frame(context, layer.raw) == 0 {
            picture.clear()
            av_frame_move_ref(picture.raw, layer.raw)
        }
        if picture.raw.pointee.pts == AVCode.noTime {
            picture.raw.pointee.pts = picture.raw.pointee.best_effort_timestamp
        }
        return true
    }

    /// Forgets all frames so far: the next one is a key frame that does not follow them.
    package func flush() {
        guard !isDraining else { return }
        avcodec_flush_buffers(context)
    }

    /// Ends the stream: what reordering held back comes out of `receive`, and then nothing more.
    package func drain() {
        guard !isDraining else { return }
        isDraining = true
        _ = avcodec_send_packet(context, nil)
    }

    package var description: StreamDescription {
        let rate = context.pointee.framerate
        let claimed = rate.num > 0 && rate.den > 0 ? Double(rate.num) / Double(rate.den) : 0
        return StreamDescription(
            profile: context.pointee.profile, reorderDepth: context.pointee.has_b_frames,
            claimedFrameRate: TranscodeLimits.frameRates.contains(claimed) ? claimed : 0)
    }

    private static func decoder(for codec: VideoCodec) -> UnsafePointer<AVCodec>? {
        switch codec {
        case .h264: avcodec_find_decoder(AV_CODEC_ID_H264)
        case .hevc: avcodec_find_decoder(AV_CODEC_ID_HEVC)
        case .av1: avcodec_find_decoder_by_name("libdav1d")
        case .vp8: avcodec_find_decoder(AV_CODEC_ID_VP8)
        case .vp9: avcodec_find_decoder(AV_CODEC_ID_VP9)
        case .sorensonH263: avcodec_find_decoder(AV_CODEC_ID_FLV1)
        case .screenVideo: avcodec_find_decoder(AV_CODEC_ID_FLASHSV)
        case .screenVideo2: avcodec_find_decoder(AV_CODEC_ID_FLASHSV2)
        case .vp6: avcodec_find_decoder(AV_CODEC_ID_VP6F)
        case .vp6Alpha: avcodec_find_decoder(AV_CODEC_ID_VP6A)
        }
    }

    /// Only the codecs whose decoders read a record get one.
    private static func setRecord(
        of configuration: VideoConfiguration, on context: UnsafeMutablePointer<AVCodecContext>
    ) throws(TranscodeError) {
        switch configuration.codec {
        case .h264, .hevc, .av1, .vp6, .vp6Alpha:
            guard let record = configuration.record, !record.isEmpty else { return }
            try context.setExtradata(record)
        case .vp8, .vp9, .sorensonH263, .screenVideo, .screenVideo2: break
        }
    }
}

extension UnsafeMutablePointer<AVCodecContext> {
    /// Copies `record` with libavcodec's padding; freed with the context.
    func setExtradata(_ record: SlabSlice) throws(TranscodeError) {
        guard record.count <= TranscodeLimits.maxRecordBytes else { throw .frameTooLarge(record.count) }
        guard let memory = av_mallocz(record.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else {
            throw .decoderRefused(AVCode.outOfMemory)
        }
        record.withUnsafeStorage { _, start in memory.copyMemory(from: start, byteCount: record.count) }
        pointee.extradata = memory.assumingMemoryBound(to: UInt8.self)
        pointee.extradata_size = Int32(record.count)
    }
}
