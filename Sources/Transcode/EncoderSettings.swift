package import CX264
package import CVPX

/// Everything a layer's encoder is set up by; one place, so that a bench runs bare encoders with the same settings.
package struct EncoderSettings: Sendable, Hashable {
    package var size: PictureSize
    /// Bits per second.
    package var bitrate: Int
    /// Frames per second that rate control starts from.
    package var frameRate: Double
    package var threads: Int
    package var color: ColorDescription

    package init(
        size: PictureSize, bitrate: Int, frameRate: Double, threads: Int, color: ColorDescription = .unspecified
    ) {
        self.size = size
        self.bitrate = bitrate
        self.frameRate = frameRate
        self.threads = threads
        self.color = color
    }

    /// x264's parameters: veryfast with a cheaper search for motion (`setEffort`), zerolatency, baseline, Annex B with headers
    /// before each IDR picture, which only the caller asks for.
    ///
    /// Each picture comes with its quantiser, from `RateControl`. x264 takes one only from the range that a constant
    /// quantiser of P pictures and the factors of the other types span: here all that `RateControl` may ask for.
    package func x264Parameters() throws(TranscodeError) -> x264_param_t {
        var parameters = x264_param_t()
        guard x264_param_default_preset(&parameters, "veryfast", "zerolatency") == 0 else { throw .encoderRefused(-1) }
        parameters.i_width = Int32(clamping: size.width)
        parameters.i_height = Int32(clamping: size.height)
        parameters.i_csp = X264_CSP_I420
        parameters.i_bitdepth = 8
        parameters.i_fps_num = UInt32(max(frameRate, 1) * 1000)
        parameters.i_fps_den = 1000
        Self.setEffort(.full, of: &parameters)
        parameters.i_threads = Int32(clamping: max(threads, 1))
        parameters.i_log_level = X264_LOG_NONE
        parameters.i_keyint_max = X264_KEYINT_MAX_INFINITE
        parameters.i_scenecut_threshold = 0
        parameters.b_annexb = 1
        parameters.b_repeat_headers = 1
        parameters.b_aud = 0
        parameters.rc.i_rc_method = X264_RC_CQP
        parameters.rc.i_qp_constant = 32
        parameters.rc.f_ip_factor = 10
        parameters.rc.f_pb_factor = 10
        parameters.vui.b_fullrange = 0
        parameters.vui.i_colorprim = color.primaries
        parameters.vui.i_transfer = color.transfer
        parameters.vui.i_colmatrix = color.matrix
        guard x264_param_apply_profile(&parameters, "baseline") == 0 else { throw .encoderRefused(-2) }
        return parameters
    }

    /// How motion is searched, as far as it can be changed between two pictures. At full effort as superfast does it: of
    /// two pieces of real footage at 720p's bit rate half the work of veryfast for 0.3 and 0.8 of VMAF. Then without
    /// partitions (0.3 and 1.1 less, a tenth of the work), and at last as ultrafast (3 and 6 less, a third of the work).
    static func setEffort(_ effort: EncodingEffort, of parameters: inout x264_param_t) {
        parameters.analyse.inter = effort == .full ? UInt32(X264_ANALYSE_I4x4 | X264_ANALYSE_I8x8) : 0
        parameters.analyse.i_me_method = X264_ME_DIA
        parameters.analyse.i_subpel_refine = effort == .least ? 0 : 1
    }

    /// libvpx's configuration: constant bit rate, no lookahead, key frames only on demand.
    package func vp8Configuration() throws(TranscodeError) -> vpx_codec_enc_cfg_t {
        var configuration = vpx_codec_enc_cfg_t()
        let status = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &configuration, 0)
        guard status == VPX_CODEC_OK else { throw .encoderRefused(Int32(bitPattern: status.rawValue)) }
        configuration.g_w = UInt32(clamping: size.width)
        configuration.g_h = UInt32(clamping: size.height)
        configuration.g_timebase.num = 1
        configuration.g_timebase.den = Int32(VP8Encoder.ticksPerSecond)
        configuration.g_threads = UInt32(clamping: max(threads, 1))
        configuration.g_lag_in_frames = 0
        configuration.g_error_resilient = 0
        configuration.rc_end_usage = VPX_CBR
        configuration.rc_target_bitrate = UInt32(clamping: bitrate / 1000)
        configuration.rc_dropframe_thresh = 0
        configuration.rc_buf_initial_sz = 500
        configuration.rc_buf_optimal_sz = 600
        configuration.rc_buf_sz = 1000
        configuration.kf_mode = VPX_KF_DISABLED
        return configuration
    }
}

/// How pixel values mean colours: the code points of ITU-T H.273, the same in H.264's VUI and in FFmpeg. Range is
/// always limited.
package struct ColorDescription: Sendable, Hashable {
    package var primaries: Int32
    package var transfer: Int32
    package var matrix: Int32

    package init(primaries: Int32, transfer: Int32, matrix: Int32) {
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
    }

    package static let unspecified = ColorDescription(primaries: 2, transfer: 2, matrix: 2)
}
