// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/byte_dot_simd.h"

/// How sums of 32 bits become bytes in the registers of AVX-512. For sources for x86 alone, which
/// include <immintrin.h> before; only for functions that run where HasByteDot().
#define SLIPWAY_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

namespace slipway::runtime {

inline constexpr std::int64_t kDotLanes = 16;
/// What float32 makes of a byte's scaled sum is nearer than this to what double makes of it.
inline constexpr float kNear = 0x1p-13F;

SLIPWAY_VNNI inline __m256i HighHalf(__m512i x) {
  return _mm512_maskz_extracti64x4_epi64(0xff, x, 1);
}

/// What is the same for all sums that become bytes.
struct Scaling {
  __m512 least, most, sure;
  __m512i zeros;
  bool is_signed;
};

SLIPWAY_VNNI inline Scaling ScalingOf(const ByteDotSums& to) {
  return {.least = _mm512_set1_ps(static_cast<float>(to.least - to.zero)),
          .most = _mm512_set1_ps(static_cast<float>(to.most - to.zero)),
          .sure = _mm512_set1_ps(0.5F - kNear),
          .zeros = _mm512_set1_epi16(static_cast<std::int16_t>(to.zero)),
          .is_signed = to.least < 0};
}

SLIPWAY_VNNI inline __m512d HeldSteps(__m256i sums, __m512d scale, const Scaling& s) {
  const __m512d scaled = _mm512_roundscale_pd(_mm512_mul_pd(_mm512_cvtepi32_pd(sums), scale),
                                              _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512d least = _mm512_set1_pd(static_cast<double>(_mm512_cvtss_f32(s.least)));
  const __m512d most = _mm512_set1_pd(static_cast<double>(_mm512_cvtss_f32(s.most)));
  return _mm512_min_pd(_mm512_max_pd(scaled, least), most);
}

/// Rounded in double, less the zero point.
SLIPWAY_VNNI __attribute__((noinline)) inline void ExactSteps(const __m512i* sums,
                                                              const double* scales, bool one_scale,
                                                              const Scaling& s, __m512i* to) {
  const __m512d low = one_scale ? _mm512_set1_pd(*scales) : _mm512_loadu_pd(scales);
  const __m512d high = one_scale ? low : _mm512_loadu_pd(scales + kDotLanes / 2);
  const __m512i all = _mm512_load_si512(sums);
  const __m256i first = _mm512_cvtpd_epi32(HeldSteps(_mm512_castsi512_si256(all), low, s));
  const __m256i last = _mm512_cvtpd_epi32(HeldSteps(HighHalf(all), high, s));
  _mm512_store_si512(to, _mm512_inserti64x4(_mm512_castsi256_si512(first), last, 1));
}

/// Whole numbers of float32. `doubts` gets those that are too near to halfway between two.
SLIPWAY_VNNI inline __m512i NearSteps(__m512i sums, __m512 scale, const Scaling& s,
                                      __mmask16& doubts) {
  constexpr int kToNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);
  const __m512 held = _mm512_min_ps(_mm512_max_ps(scaled, s.least), s.most);
  const __m512 apart = _mm512_abs_ps(_mm512_reduce_ps(held, kToNearest));
  doubts |= _mm512_cmp_ps_mask(apart, s.sure, _CMP_GT_OQ);
  return _mm512_cvtps_epi32(held);
}

/// Four vectors of whole numbers as bytes, the zero point more: four of each vector, and again.
SLIPWAY_VNNI inline __m512i MixedBytesOf(const __m512i* steps, const Scaling& s) {
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(steps[0], steps[1]), s.zeros);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(steps[2], steps[3]), s.zeros);
  return s.is_signed ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
}

}  // namespace slipway::runtime
