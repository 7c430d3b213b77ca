// libvpx hides its ABI number in a macro and its controls behind a variadic function.
#pragma once

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

static inline vpx_codec_err_t shim_vpx_codec_enc_init(
    vpx_codec_ctx_t *context, vpx_codec_iface_t *interface, const vpx_codec_enc_cfg_t *configuration,
    vpx_codec_flags_t flags
) {
    return vpx_codec_enc_init_ver(context, interface, configuration, flags, VPX_ENCODER_ABI_VERSION);
}

static inline vpx_codec_err_t shim_vpx_control_int(vpx_codec_ctx_t *context, int control, int value) {
    return vpx_codec_control_(context, control, value);
}

// The packet's union as Swift can read it without naming its anonymous members.
static inline const void *shim_vpx_frame_bytes(const vpx_codec_cx_pkt_t *packet) { return packet->data.frame.buf; }
static inline size_t shim_vpx_frame_count(const vpx_codec_cx_pkt_t *packet) { return packet->data.frame.sz; }
static inline int shim_vpx_frame_is_key(const vpx_codec_cx_pkt_t *packet) {
    return (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
}
