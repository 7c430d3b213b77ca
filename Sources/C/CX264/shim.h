// x264 renames its open function by a macro that carries the build number, so that a header and a library that differ
// do not link.
#pragma once

#include <stdint.h>
#include <x264.h>

static inline x264_t *shim_x264_encoder_open(x264_param_t *parameters) { return x264_encoder_open(parameters); }
