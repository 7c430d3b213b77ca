package import CFFmpeg

/// Owns one `AVFrame`: a picture or a run of samples. Clearing it gives its buffers back to their pool and keeps the
/// frame.
package struct AVFrameRef: ~Copyable {
    /// For benches and encoders; the pointee's buffers may be shared, so planes are read-only unless this module made
    /// them.
    package let raw: UnsafeMutablePointer<AVFrame>

    package init() {
        guard let frame = av_frame_alloc() else { preconditionFailure("out of memory for a frame") }
        raw = frame
    }

    /// A yuv420p picture of limited range with memory of its own; throws when libavutil has none for it.
    package init(width: Int, height: Int) throws(TranscodeError) {
        guard let frame = av_frame_alloc() else { throw .formatOutOfLimits }
        frame.pointee.width = Int32(clamping: width)
        frame.pointee.height = Int32(clamping: height)
        frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        frame.pointee.color_range = AVCOL_RANGE_MPEG
        guard av_frame_get_buffer(frame, 0) == 0 else {
            var unused: UnsafeMutablePointer<AVFrame>? = frame
            av_frame_free(&unused)
            throw .formatOutOfLimits
        }
        raw = frame
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = raw
        av_frame_free(&frame)
    }

    package func clear() { av_frame_unref(raw) }

    /// Coded size in pixels, after the decoder's cropping and before the sample aspect ratio.
    package var size: PictureSize { PictureSize(Int(raw.pointee.width), Int(raw.pointee.height)) }

    /// Presentation time in the time base of whoever filled the frame.
    package var pts: Int64 {
        get { raw.pointee.pts }
        nonmutating set { raw.pointee.pts = newValue }
    }

    /// The three planes of a planar 4:2:0 picture; nil for anything that has fewer.
    func withPlanes<R>(_ body: (PicturePlanes) -> R) -> R? {
        let frame = raw.pointee
        guard let y = frame.data.0, let u = frame.data.1, let v = frame.data.2 else { return nil }
        return body(PicturePlanes(base: (y, u, v), strides: (frame.linesize.0, frame.linesize.1, frame.linesize.2)))
    }
}

/// Borrowed planes of a yuv420p picture; valid while the frame they came from is.
struct PicturePlanes {
    let base: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>)
    /// Bytes from one line to the next.
    let strides: (Int32, Int32, Int32)
}

extension AVFrameRef {
    /// One value of the first plane, for tests; 0 outside the picture.
    package func luma(_ column: Int, _ row: Int) -> Int {
        guard row >= 0, row < size.height, column >= 0, column < size.width, let plane = raw.pointee.data.0 else {
            return 0
        }
        return Int(plane[row * Int(raw.pointee.linesize.0) + column])
    }
}
