// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_table_simd.h"

#if defined(__x86_64__)

// Its undefined vectors are meant to be.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "runtime/kernels/byte_dot_simd.h"

#define SLIPWAY_VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))

namespace slipway::runtime {
namespace {

SLIPWAY_VBMI void LookUp(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y,
                         std::int64_t count) {
  constexpr std::int64_t kBytes = 64;
  __m512i parts[4];
  for (int i = 0; i < 4; ++i) parts[i] = _mm512_loadu_si512(table + i * kBytes);
  std::int64_t i = 0;
  for (; i + kBytes <= count; i += kBytes) {
    const __m512i at = _mm512_loadu_si512(x + i);
    const __m512i low = _mm512_permutex2var_epi8(parts[0], at, parts[1]);
    const __m512i high = _mm512_permutex2var_epi8(parts[2], at, parts[3]);
    _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high));
  }
  for (; i < count; ++i) y[i] = table[x[i]];
}

}  // namespace

bool HasByteLookUp() { return HasByteDot() && __builtin_cpu_supports("avx512vbmi") != 0; }

void LookUpBytes(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y,
                 std::int64_t count) {
  LookUp(x, table, y, count);
}

}  // namespace slipway::runtime

#else

namespace slipway::runtime {

bool HasByteLookUp() { return false; }
void LookUpBytes(const std::uint8_t*, const std::uint8_t*, std::uint8_t*, std::int64_t) {}

}  // namespace slipway::runtime

#endif
