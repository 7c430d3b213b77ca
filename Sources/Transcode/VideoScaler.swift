import CFFmpeg

/// Any picture to yuv420p of limited range at one size: halved as it is where that is all, else by libswscale, whose tables
/// are made again only when the input's shape changes.
struct VideoScaler: ~Copyable {
    /// What the tables depend on.
    private struct Input: Equatable {
        let width: Int32
        let height: Int32
        let format: Int32
        let isFullRange: Bool
        let colorSpace: AVColorSpace
    }

    private var context: OpaquePointer?
    private var input: Input?
    /// The scaled picture of the last call; the next call writes over it.
    let picture: AVFrameRef

    init(size: PictureSize) throws(TranscodeError) {
        picture = try AVFrameRef(width: size.width, height: size.height)
    }

    deinit { sws_freeContext(context) }

    /// Fills `picture` from `source`, its presentation time included.
    mutating func scale(_ source: borrowing AVFrameRef) throws(TranscodeError) {
        if PictureHalving.fits(source, picture), PictureHalving.halve(source, into: picture) {
            picture.pts = source.pts
            return
        }
        try prepare(for: source)
        let lines = sws_scale_frame(context, picture.raw, source.raw)
        guard lines > 0 else { throw .scalerRefused }
        picture.pts = source.pts
    }

    private mutating func prepare(for source: borrowing AVFrameRef) throws(TranscodeError) {
        let frame = source.raw.pointee
        let wanted = Input(
            width: frame.width, height: frame.height, format: frame.format,
            isFullRange: PixelFormat.isFullRange(frame), colorSpace: frame.colorspace)
        guard wanted != input else { return }
        input = nil
        sws_freeContext(context)
        context = sws_alloc_context()
        guard let context else { throw .scalerRefused }
        let target = picture.raw.pointee
        // Averaging areas costs the same as two-tap interpolation when halving, half of it when quartering, and does
        // not alias: measured 49 dB against 43 dB, both to a Lanczos filter. Only wide pixels make a picture larger.
        let isShrinking = target.width <= wanted.width && target.height <= wanted.height
        // Ranges have to be known before the tables are made: libswscale picks a plain copy for equal formats
        // otherwise.
        let options: [(String, Int32)] = [
            ("srcw", wanted.width), ("srch", wanted.height), ("src_format", wanted.format),
            ("dstw", target.width), ("dsth", target.height), ("dst_format", AV_PIX_FMT_YUV420P.rawValue),
            ("src_range", wanted.isFullRange ? 1 : 0), ("dst_range", 0),
            ("sws_flags", isShrinking ? SWS_AREA : SWS_BILINEAR),
        ]
        for (name, value) in options where av_opt_set_int(UnsafeMutableRawPointer(context), name, Int64(value), 0) < 0 {
            throw .scalerRefused
        }
        guard sws_init_context(context, nil, nil) >= 0 else { throw .scalerRefused }
        let matrix = sws_getCoefficients(PixelFormat.matrix(of: frame))
        _ = sws_setColorspaceDetails(context, matrix, wanted.isFullRange ? 1 : 0, matrix, 0, 0, 1 << 16, 1 << 16)
        input = wanted
    }
}

/// What a decoded picture's pixels are.
enum PixelFormat {
    static func isFullRange(_ frame: AVFrame) -> Bool {
        switch AVPixelFormat(frame.format) {
        case AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P:
            true
        default: frame.color_range == AVCOL_RANGE_JPEG
        }
    }

    static func isRGB(_ frame: AVFrame) -> Bool {
        guard let description = av_pix_fmt_desc_get(AVPixelFormat(frame.format)) else { return false }
        return description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0
    }

    /// The planes can be handed to an encoder as they are.
    static func isPlain(_ frame: AVFrame) -> Bool {
        frame.format == AV_PIX_FMT_YUV420P.rawValue && !isFullRange(frame)
    }

    /// The YUV matrix for libswscale: the source's, else BT.601, which is also what RGB pictures become.
    static func matrix(of frame: AVFrame) -> Int32 {
        switch frame.colorspace {
        case AVCOL_SPC_BT709: SWS_CS_ITU709
        case AVCOL_SPC_FCC: SWS_CS_FCC
        case AVCOL_SPC_SMPTE240M: SWS_CS_SMPTE240M
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: SWS_CS_BT2020
        default: SWS_CS_ITU601
        }
    }

    static func color(of frame: AVFrame) -> ColorDescription {
        var color = ColorDescription.unspecified
        let (primaries, transfer) = (frame.color_primaries.rawValue, frame.color_trc.rawValue)
        if primaries == 1 || (4...12).contains(primaries) { color.primaries = Int32(primaries) }
        if transfer == 1 || (4...18).contains(transfer) { color.transfer = Int32(transfer) }
        switch frame.colorspace.rawValue {
        case 1, 4...7, 9, 10: color.matrix = Int32(frame.colorspace.rawValue)
        default: break
        }
        if isRGB(frame) { color.matrix = Int32(AVCOL_SPC_SMPTE170M.rawValue) }
        return color
    }
}

extension AVFrameRef {
    /// How the picture's values mean colours, as its decoder told.
    package var color: ColorDescription { PixelFormat.color(of: raw.pointee) }
}
