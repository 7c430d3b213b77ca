import Bytes
import CX264

/// x264, called directly: one picture in, one access unit out, in Annex B form.
package final class H264Encoder: VideoEncoder {
    private let raw: OpaquePointer
    private var rate: RateControl
    private var change: PictureChange
    private var isFirst = true
    private var effort = EncodingEffort.full

    package init(_ settings: EncoderSettings) throws(TranscodeError) {
        var parameters = try settings.x264Parameters()
        guard let encoder = shim_x264_encoder_open(&parameters) else { throw .encoderRefused(-3) }
        raw = encoder
        rate = RateControl(bitrate: settings.bitrate, frameRate: settings.frameRate, size: settings.size)
        change = PictureChange(size: settings.size)
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
            let isKey = forceKey || isFirst
            let changed = change.measure(planes.base.0, stride: Int(planes.strides.0))
            input.i_type = isKey ? X264_TYPE_IDR : X264_TYPE_AUTO
            input.i_qpplus1 = Int32(rate.nextQuantizer(isKey: isKey, changed: changed, pts: pts)) + 1
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
        isFirst = false
        rate.record(bits: Int(size) * 8, isKey: result.b_keyframe != 0)
        // x264 lays the units of one picture out one behind the other.
        let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(first), byteCount: Int(size))
        output(EncodedPicture(bytes: bytes, isKey: result.b_keyframe != 0))
    }

    package func setBitrate(_ bitrate: Int) { rate.bitrate = bitrate }

    package func setFrameRate(_ frameRate: Double) {
        guard TranscodeLimits.frameRates.contains(frameRate) else { return }
        rate.frameRate = frameRate
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
}
