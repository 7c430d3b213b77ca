import CFFmpeg
import CX264
import Foundation
import Transcode

/// libavcodec, libswscale and x264 in a row: the server's ladder without the server.
final class FloorVideo {
    private static let keyFrameNanoseconds: Int64 = 4_000_000_000

    private final class Rung {
        let scaler: OpaquePointer?
        let picture: UnsafeMutablePointer<AVFrame>?
        let encoder: OpaquePointer
        var rate: RateControl

        init(
            scaler: OpaquePointer?, picture: UnsafeMutablePointer<AVFrame>?, encoder: OpaquePointer, rate: RateControl
        ) {
            self.scaler = scaler
            self.picture = picture
            self.encoder = encoder
            self.rate = rate
        }
    }

    private(set) var pictures = 0
    private(set) var encoded = 0
    private(set) var bytesOut = 0

    private let ladder: LadderSpec?
    private let threads = ProcessInfo.processInfo.activeProcessorCount
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let frame: UnsafeMutablePointer<AVFrame>
    /// The largest first, each scaled from the one before it.
    private var rungs: [Rung] = []
    private var lastKey = Int64.min / 2

    init(record: [UInt8], ladder: LadderSpec?) throws {
        av_log_set_level(AV_LOG_QUIET)
        self.ladder = ladder
        let decoder = avcodec_find_decoder(AV_CODEC_ID_H264)
        guard let context = avcodec_alloc_context3(decoder), let frame = av_frame_alloc() else {
            throw BenchError("out of memory")
        }
        self.context = context
        self.frame = frame
        context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
        context.pointee.thread_count = Int32(min(threads, 4))
        context.pointee.thread_type = FF_THREAD_SLICE
        context.pointee.flags |= AV_CODEC_FLAG_LOW_DELAY
        context.setRecord(record)
        guard avcodec_open2(context, decoder, nil) == 0 else { throw BenchError("the decoder does not open") }
    }

    deinit {
        for rung in rungs {
            x264_encoder_close(rung.encoder)
            sws_freeContext(rung.scaler)
            var picture = rung.picture
            av_frame_free(&picture)
        }
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    func process(_ packet: UnsafeMutablePointer<AVPacket>, pts: Int64) throws {
        packet.pointee.pts = pts
        packet.pointee.dts = pts
        guard avcodec_send_packet(context, packet) == 0 else { throw BenchError("the clip does not decode") }
        while avcodec_receive_frame(context, frame) == 0 {
            pictures += 1
            if let ladder {
                if rungs.isEmpty { try open(ladder) }
                try encode()
            }
            av_frame_unref(frame)
        }
    }

    private func open(_ ladder: LadderSpec) throws {
        let size = PictureSize(Int(frame.pointee.width), Int(frame.pointee.height))
        guard frame.pointee.format == AV_PIX_FMT_YUV420P.rawValue else {
            throw BenchError("the floor takes yuv420p only")
        }
        let claimed = context.pointee.framerate
        let rate = claimed.num > 0 && claimed.den > 0 ? Double(claimed.num) / Double(claimed.den) : ladder.maxFrameRate
        let color = ColorDescription(
            primaries: Int32(frame.pointee.color_primaries.rawValue), transfer: Int32(frame.pointee.color_trc.rawValue),
            matrix: Int32(frame.pointee.colorspace.rawValue))
        var source = size
        for plan in LadderPlan(spec: ladder, source: size, maxThreads: threads).rungs.reversed() {
            let frameRate = min(rate, ladder.maxFrameRate)
            var parameters = try EncoderSettings(
                size: plan.size, bitrate: plan.bitrate, frameRate: frameRate, threads: plan.threads, color: color
            ).x264Parameters()
            guard let encoder = shim_x264_encoder_open(&parameters) else { throw BenchError("x264 does not open") }
            let isCopy = plan.size == size
            rungs.append(
                Rung(
                    scaler: isCopy ? nil : try Self.scaler(from: source, to: plan.size),
                    picture: isCopy ? nil : try Self.picture(plan.size), encoder: encoder,
                    rate: RateControl(bitrate: plan.bitrate, frameRate: frameRate, size: plan.size)))
            source = plan.size
        }
    }

    private static func scaler(from source: PictureSize, to target: PictureSize) throws -> OpaquePointer {
        let context = sws_getContext(
            Int32(source.width), Int32(source.height), AV_PIX_FMT_YUV420P, Int32(target.width), Int32(target.height),
            AV_PIX_FMT_YUV420P, SWS_AREA, nil, nil, nil)
        guard let context else { throw BenchError("the scaler does not open") }
        return context
    }

    private static func picture(_ size: PictureSize) throws -> UnsafeMutablePointer<AVFrame> {
        guard let picture = av_frame_alloc() else { throw BenchError("out of memory") }
        picture.pointee.width = Int32(size.width)
        picture.pointee.height = Int32(size.height)
        picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        guard av_frame_get_buffer(picture, 0) == 0 else { throw BenchError("out of memory") }
        return picture
    }

    private func encode() throws {
        let pts = frame.pointee.pts
        let isKey = pts - lastKey >= Self.keyFrameNanoseconds
        if isKey { lastKey = pts }
        var source = frame
        for rung in rungs {
            if let scaler = rung.scaler, let picture = rung.picture {
                guard sws_scale_frame(scaler, picture, source) > 0 else { throw BenchError("the scaler fails") }
                source = picture
            }
            try encode(source, with: rung, pts: pts, isKey: isKey)
        }
    }

    private func encode(
        _ picture: UnsafeMutablePointer<AVFrame>, with rung: Rung, pts: Int64, isKey: Bool
    ) throws {
        var input = x264_picture_t()
        x264_picture_init(&input)
        input.i_type = isKey ? X264_TYPE_IDR : X264_TYPE_AUTO
        input.i_qpplus1 = Int32(rung.rate.nextQuantizer(isKey: isKey, changed: 0, pts: pts)) + 1
        input.i_pts = pts
        input.img.i_csp = X264_CSP_I420
        input.img.i_plane = 3
        let (data, lines) = (picture.pointee.data, picture.pointee.linesize)
        (input.img.plane.0, input.img.plane.1, input.img.plane.2) = (data.0, data.1, data.2)
        (input.img.i_stride.0, input.img.i_stride.1, input.img.i_stride.2) = (lines.0, lines.1, lines.2)
        var output = x264_picture_t()
        var units: UnsafeMutablePointer<x264_nal_t>?
        var count: Int32 = 0
        let bytes = x264_encoder_encode(rung.encoder, &units, &count, &input, &output)
        guard bytes > 0 else { throw BenchError("x264 fails") }
        rung.rate.record(bits: Int(bytes) * 8, isKey: isKey)
        encoded += 1
        bytesOut += Int(bytes)
    }
}
