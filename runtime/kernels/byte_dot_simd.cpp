// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_dot_simd.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#define SLIPWAY_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace slipway::runtime {
namespace {

constexpr std::int64_t kLanes = 16;

template <bool a_signed>
SLIPWAY_VNNI inline __m512i Add(__m512i sum, __m512i a, __m512i b) {
  if constexpr (a_signed) return _mm512_dpbusd_epi32(sum, b, a);
  return _mm512_dpbusd_epi32(sum, a, b);
}

template <bool a_signed, int kRows, int kVectors>
SLIPWAY_VNNI void Tile(const ByteDot& d, std::int64_t row, std::int64_t column) {
  __m512i sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[i][v] = _mm512_setzero_si512();
  }
  const std::uint8_t* a = d.a + row * d.a_stride;
  const std::uint8_t* b = d.b + column * 4;
  for (std::int64_t k = 0; k < d.quads; ++k, a += 4, b += d.b_stride) {
    __m512i in[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) in[v] = _mm512_loadu_si512(b + v * kLanes * 4);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      std::int32_t quad = 0;
      std::memcpy(&quad, a + i * d.a_stride, sizeof(quad));
      const __m512i each = _mm512_set1_epi32(quad);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = Add<a_signed>(sums[i][v], each, in[v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    std::int32_t* const y = d.y + (row + i) * d.y_stride + column;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_si512(y + v * kLanes, sums[i][v]);
  }
}

template <bool a_signed, int kRows>
void Rows(const ByteDot& d, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= d.width; column += 4 * kLanes) {
    Tile<a_signed, kRows, 4>(d, row, column);
  }
  for (; column < d.width; column += kLanes) Tile<a_signed, kRows, 1>(d, row, column);
}

template <bool a_signed>
void AllRows(const ByteDot& d) {
  std::int64_t row = 0;
  for (; row + 6 <= d.rows; row += 6) Rows<a_signed, 6>(d, row);
  for (; row + 2 <= d.rows; row += 2) Rows<a_signed, 2>(d, row);
  if (row < d.rows) Rows<a_signed, 1>(d, row);
}

}  // namespace

bool HasByteDot() {
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}

void RunByteDot(const ByteDot& dot) { dot.a_signed ? AllRows<true>(dot) : AllRows<false>(dot); }

}  // namespace slipway::runtime

#else

namespace slipway::runtime {

bool HasByteDot() { return false; }
void RunByteDot(const ByteDot&) {}

}  // namespace slipway::runtime

#endif
