// opus_encoder_ctl is variadic, and its requests are macros that check types.
#pragma once

#include <opus/opus.h>

static inline int shim_opus_set_bitrate(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_BITRATE(value));
}
static inline int shim_opus_set_vbr(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_VBR(value));
}
static inline int shim_opus_set_complexity(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(value));
}
static inline int shim_opus_set_inband_fec(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(value));
}
static inline int shim_opus_set_packet_loss(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(value));
}
static inline int shim_opus_set_dtx(OpusEncoder *encoder, int value) {
    return opus_encoder_ctl(encoder, OPUS_SET_DTX(value));
}
