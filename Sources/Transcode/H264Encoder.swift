import Bytes
import CX264

/// x264, called directly: one picture in, one access unit out, in Annex B form.
package final class H264Encoder: VideoEncoder {
    private let raw: OpaquePointer
    private var settings: EncoderSettings
    /// The rate x264 was opened with; it cannot be changed later.
    private let nominalFrameRate: Double
    private var frameRate: Double
    private var effort = EncodingEffort.full

    /// A measured rate this close to the one in use changes nothing.
    static let frameRateTolerance = 0.05

    package init(_ settings: EncoderSettings) throws(TranscodeError) {
        var parameters = try settings.x264Parameters()
        guard let encoder = shim_x264_encoder_open(&parameters) else { throw .encoderRefused(-3) }
        raw = encoder
        self.settings = settings
        nominalFrameRate = settings.frameRate
        frameRate = settings.frameRate
    }

    deinit { x264_encoder_close(raw) }

    package func encode(
        _ picture: borrowing AVFrameRef, pts: Int64, forceKey: Bool, output: (EncodedPicture) -> Void
    ) throws(TranscodeError) {
        var result = x264_picture_t()
        var units: UnsafeMutablePointer<x264_nal_t>?
        var unitCount: Int32 = 0
        let size = picture.withPlanes { planes in
            var input = x264_picture_t()
            x264_picture_init(&input)
            input.i_type = forceKey ? X264_TYPE_IDR : X264_TYPE_AUTO
            input.i_pts = pts
            input.img.i_csp = X264_CSP_I420
            input.img.i_plane = 3
            (input.img.plane.0, input.img.plane.1, input.img.plane.2) = planes.base
            (input.img.i_stride.0, input.img.i_stride.1, input.img.i_stride.2) = planes.strides
            return x264_encoder_encode(raw, &units, &unitCount, &input, &result)
        }
        guard let size, size > 0, unitCount > 0, let first = units?.pointee.p_payload else {
            throw .encodingFailed(size ?? -1)
        }
        // x264 lays the units of one picture out one behind the other.
        let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(first), byteCount: Int(size))
        output(EncodedPicture(bytes: bytes, isKey: result.b_keyframe != 0))
    }

    package func setBitrate(_ bitrate: Int) throws(TranscodeError) {
        guard bitrate != settings.bitrate else { return }
        settings.bitrate = bitrate
        try applyRate()
    }

    package func setFrameRate(_ frameRate: Double) throws(TranscodeError) {
        guard frameRate >= TranscodeLimits.frameRates.lowerBound,
            (frameRate - self.frameRate).magnitude > self.frameRate * Self.frameRateTolerance
        else { return }
        self.frameRate = frameRate
        try applyRate()
    }

    package func setEffort(_ effort: EncodingEffort) throws(TranscodeError) {
        guard effort != self.effort else { return }
        self.effort = effort
        var parameters = x264_param_t()
        x264_encoder_parameters(raw, &parameters)
        EncoderSettings.setEffort(effort, of: &parameters)
        let status = x264_encoder_reconfig(raw, &parameters)
        guard status == 0 else { throw .encoderRefused(status) }
    }

    private func applyRate() throws(TranscodeError) {
        var parameters = x264_param_t()
        x264_encoder_parameters(raw, &parameters)
        settings.setRate(of: &parameters, timeScale: nominalFrameRate / frameRate)
        let status = x264_encoder_reconfig(raw, &parameters)
        guard status == 0 else { throw .encoderRefused(status) }
    }
}
