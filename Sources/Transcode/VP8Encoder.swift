import Bytes
import CVPX

/// libvpx's VP8, called directly: one picture in, one frame out.
package final class VP8Encoder: VideoEncoder {
    /// Clock of the presentation times handed to libvpx: RTP's video clock.
    static let ticksPerSecond: Int64 = 90_000

    /// Nanoseconds; longer is a jump of the source's clock.
    static let longestStep: Int64 = 2_000_000_000

    /// At one address for its whole life, which libvpx may keep.
    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    private var configuration: vpx_codec_enc_cfg_t
    private var image = vpx_image_t()
    private var frameTicks: Int
    private var lastPTS: Int64?
    private var lastTicks: Int64 = 0
    private var effort = EncodingEffort.full

    /// libvpx's speed in realtime mode: the more negative, the less work.
    private static func speed(_ effort: EncodingEffort) -> Int32 {
        switch effort {
        case .full: -6
        case .reduced: -10
        case .least: -16
        }
    }

    package init(_ settings: EncoderSettings) throws(TranscodeError) {
        configuration = try settings.vp8Configuration()
        frameTicks = Self.ticks(perFrameAt: settings.frameRate)
        context = .allocate(capacity: 1)
        context.initialize(to: vpx_codec_ctx_t())
        let status = shim_vpx_codec_enc_init(context, vpx_codec_vp8_cx(), &configuration, 0)
        guard status == VPX_CODEC_OK else { throw .encoderRefused(Int32(bitPattern: status.rawValue)) }
        let controls: [(vp8e_enc_control_id, Int32)] = [
            (VP8E_SET_CPUUSED, Self.speed(.full)), (VP8E_SET_STATIC_THRESHOLD, 1), (VP8E_SET_NOISE_SENSITIVITY, 0),
            (VP8E_SET_MAX_INTRA_BITRATE_PCT, 450),
        ]
        for (control, value) in controls {
            let status = shim_vpx_control_int(context, Int32(bitPattern: control.rawValue), value)
            guard status == VPX_CODEC_OK else { throw .encoderRefused(Int32(bitPattern: status.rawValue)) }
        }
        var plane: UInt8 = 0
        // A wrapped image owns no memory: its planes are set for each picture.
        vpx_img_wrap(&image, VPX_IMG_FMT_I420, configuration.g_w, configuration.g_h, 1, &plane)
    }

    deinit {
        vpx_codec_destroy(context)
        context.deallocate()
    }

    package func encode(
        _ picture: borrowing AVFrameRef, pts: Int64, forceKey: Bool, output: (EncodedPicture) -> Void
    ) throws(TranscodeError) {
        let ticks = nextTicks(pts)
        let status = picture.withPlanes { planes in
            (image.planes.0, image.planes.1, image.planes.2) = planes.base
            (image.stride.0, image.stride.1, image.stride.2) = planes.strides
            let flags = forceKey ? Int(VPX_EFLAG_FORCE_KF) : 0
            return vpx_codec_encode(context, &image, ticks, UInt(frameTicks), flags, UInt(VPX_DL_REALTIME))
        }
        guard let status, status == VPX_CODEC_OK else {
            throw .encodingFailed(Int32(bitPattern: status?.rawValue ?? 1))
        }
        var cursor: vpx_codec_iter_t?
        while let packet = vpx_codec_get_cx_data(context, &cursor) {
            guard packet.pointee.kind == VPX_CODEC_CX_FRAME_PKT, let start = shim_vpx_frame_bytes(packet) else {
                continue
            }
            let bytes = RawSpan(_unsafeStart: start, byteCount: shim_vpx_frame_count(packet))
            output(EncodedPicture(bytes: bytes, isKey: shim_vpx_frame_is_key(packet) != 0))
        }
    }

    /// libvpx takes its rate control's clock from these; a jump of the source's clock counts as one picture's time.
    private func nextTicks(_ pts: Int64) -> Int64 {
        defer { lastPTS = pts }
        guard let lastPTS else { return lastTicks }
        let step = pts - lastPTS
        let isSteady = step > 0 && step <= Self.longestStep
        lastTicks += isSteady ? max(1, step * 9 / 100_000) : Int64(frameTicks)
        return lastTicks
    }

    package func setBitrate(_ bitrate: Int) throws(TranscodeError) {
        configuration.rc_target_bitrate = UInt32(clamping: bitrate / 1000)
        let status = vpx_codec_enc_config_set(context, &configuration)
        guard status == VPX_CODEC_OK else { throw .encoderRefused(Int32(bitPattern: status.rawValue)) }
    }

    /// libvpx measures the rate on the presentation times by itself; only the duration of the newest picture is a
    /// guess.
    package func setFrameRate(_ frameRate: Double) { frameTicks = Self.ticks(perFrameAt: frameRate) }

    package func setEffort(_ effort: EncodingEffort) throws(TranscodeError) {
        guard effort != self.effort else { return }
        self.effort = effort
        let status = shim_vpx_control_int(context, Int32(bitPattern: VP8E_SET_CPUUSED.rawValue), Self.speed(effort))
        guard status == VPX_CODEC_OK else { throw .encoderRefused(Int32(bitPattern: status.rawValue)) }
    }

    private static func ticks(perFrameAt frameRate: Double) -> Int { Int(Double(ticksPerSecond) / max(frameRate, 1)) }
}
