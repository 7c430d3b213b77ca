// What Swift's importer cannot see of FFmpeg: function-like macros and casts of constants.
#pragma once

#include <libavcodec/avcodec.h>
#include <libavutil/avutil.h>
#include <libavutil/buffer.h>
#include <libavutil/channel_layout.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

static inline int shim_averror_eagain(void) { return AVERROR(EAGAIN); }
static inline int shim_averror_eof(void) { return AVERROR_EOF; }
static inline int shim_averror_enomem(void) { return AVERROR(ENOMEM); }
static inline int64_t shim_av_nopts_value(void) { return AV_NOPTS_VALUE; }
