// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_dot_simd.h"

#if defined(__x86_64__)

// Its undefined vectors are meant to be.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstring>

#include "runtime/kernels/byte_dot_store.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kLanes = kDotLanes;

template <bool a_signed>
SLIPWAY_VNNI inline __m512i Add(__m512i sum, __m512i a, __m512i b) {
  if constexpr (a_signed) return _mm512_dpbusd_epi32(sum, b, a);
  return _mm512_dpbusd_epi32(sum, a, b);
}

SLIPWAY_VNNI inline std::int32_t WholeSum(__m512i x) {
  const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(x), HighHalf(x));
  const __m128i four =
      _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

/// Sums of a tile, out of the registers: [rows, vectors].
struct Tiled {
  const __m512i* sums;
  int rows, vectors;
  std::int64_t row, column;
};

/// Sums of a tile as they are.
SLIPWAY_VNNI void StoreSums(const Tiled& tile, const ByteDot& d) {
  const __m512i* sums = tile.sums;
  for (int i = 0; i < tile.rows; ++i) {
    auto* const y = static_cast<std::int32_t*>(d.to.y) + (tile.row + i) * d.to.y_stride;
    for (int v = 0; v < tile.vectors; ++v) {
      const std::int64_t column = tile.column + v * kLanes;
      const auto some = static_cast<__mmask16>((1U << std::min(kLanes, d.columns - column)) - 1);
      _mm512_mask_storeu_epi32(y + column, some, _mm512_load_si512(sums++));
    }
  }
}

/// Four vectors of whole numbers as bytes, one vector after another.
SLIPWAY_VNNI inline __m512i BytesOf(const __m512i* steps, const Scaling& s) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_maskz_permutexvar_epi32(0xffff, order, MixedBytesOf(steps, s));
}

/// A row of a tile as bytes.
SLIPWAY_VNNI inline void StoreRow(const __m512i* steps, const Scaling& scaling, std::int64_t count,
                                  std::uint8_t* y) {
  const __m512i bytes = BytesOf(steps, scaling);
  if (count == 4 * kLanes) return _mm512_storeu_si512(y, bytes);
  _mm512_mask_storeu_epi8(y, (__mmask64{1} << count) - 1, bytes);
}

/// The same of sums that float32 does not tell. One scale for all of them, or one for each.
SLIPWAY_VNNI __attribute__((noinline)) void StoreExactRow(const __m512i* sums, int vectors,
                                                          const double* scales, bool one_scale,
                                                          const Scaling& scaling,
                                                          std::int64_t count, std::uint8_t* y) {
  alignas(64) __m512i steps[4] = {};
  for (int v = 0; v < vectors; ++v) {
    ExactSteps(sums + v, one_scale ? scales : scales + v * kLanes, one_scale, scaling, steps + v);
  }
  StoreRow(steps, scaling, count, y);
}

/// Sums of a tile as bytes, by float32 where that tells which.
template <bool a_signed, int kVectors>
SLIPWAY_VNNI void StoreBytes(const Tiled& tile, const ByteDot& d) {
  const Scaling scaling = ScalingOf(d.to);
  const __m512i* sums = tile.sums;
  const std::int64_t count = std::min(kVectors * kLanes, d.columns - tile.column);
  const std::int64_t y_stride = d.to.y_stride;
  auto* y = static_cast<std::uint8_t*>(d.to.y) + tile.row * y_stride + tile.column;
  for (int i = 0; i < tile.rows; ++i, y += y_stride, sums += kVectors) {
    const std::int64_t at = a_signed ? tile.row + i : tile.column;
    const float* const near = d.to.near + at;
    __m512i steps[4] = {};
    __mmask16 doubts = 0;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m512 scale = a_signed ? _mm512_set1_ps(*near) : _mm512_loadu_ps(near + v * kLanes);
      steps[v] = NearSteps(_mm512_load_si512(sums + v), scale, scaling, doubts);
    }
    if (doubts != 0) [[unlikely]] {
      StoreExactRow(sums, kVectors, d.to.scales + at, a_signed, scaling, count, y);
    } else {
      StoreRow(steps, scaling, count, y);
    }
  }
}

template <bool a_signed, int kVectors>
void Store(const Tiled& tile, const ByteDot& d) {
  d.to.scales == nullptr ? StoreSums(tile, d) : StoreBytes<a_signed, kVectors>(tile, d);
}

template <bool a_signed, int kRows, int kVectors>
SLIPWAY_VNNI void Tile(const ByteDot& d, std::int64_t row, std::int64_t column) {
  __m512i sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = a_signed ? _mm512_set1_epi32(d.to.added[row + i])
                            : _mm512_loadu_si512(d.to.added + column + v * kLanes);
    }
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
  alignas(64) __m512i kept[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) _mm512_store_si512(&kept[i][v], sums[i][v]);
  }
  Store<a_signed, kVectors>({&kept[0][0], kRows, kVectors, row, column}, d);
}

template <bool a_signed, int kRows>
void Rows(const ByteDot& d, std::int64_t row) {
  std::int64_t column = 0;
  const auto left = [&] { return (d.columns - column + kLanes - 1) / kLanes; };
  for (; left() >= 4; column += 4 * kLanes) Tile<a_signed, kRows, 4>(d, row, column);
  if (left() == 3) Tile<a_signed, kRows, 3>(d, row, column);
  if (left() == 2) Tile<a_signed, kRows, 2>(d, row, column);
  if (left() == 1) Tile<a_signed, kRows, 1>(d, row, column);
}

template <bool a_signed>
void AllRows(const ByteDot& d) {
  std::int64_t row = 0;
  for (; row + 6 <= d.rows; row += 6) Rows<a_signed, 6>(d, row);
  for (; row + 4 <= d.rows; row += 4) Rows<a_signed, 4>(d, row);
  for (; row + 2 <= d.rows; row += 2) Rows<a_signed, 2>(d, row);
  if (row < d.rows) Rows<a_signed, 1>(d, row);
}

/// kRows rows times kColumns columns, sixteen quads of each at once.
template <int kRows, int kColumns>
SLIPWAY_VNNI void FewTile(const ByteDot& d, std::int64_t row) {
  __m512i sums[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j) sums[i][j] = _mm512_setzero_si512();
  }
  const std::uint8_t* a = d.a + row * d.a_stride;
  const std::uint8_t* b = d.b;
  for (std::int64_t k = 0; k < d.quads; k += kLanes, a += 4 * kLanes, b += 4 * kLanes) {
    const auto some = static_cast<__mmask16>((1U << std::min(kLanes, d.quads - k)) - 1);
    __m512i in[kColumns];
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j) in[j] = _mm512_maskz_loadu_epi32(some, b + j * d.b_stride);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const __m512i each = _mm512_maskz_loadu_epi32(some, a + i * d.a_stride);
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) sums[i][j] = Add<true>(sums[i][j], each, in[j]);
    }
  }
  __m512i rows[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    alignas(64) std::int32_t whole[kLanes] = {};
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j) whole[j] = WholeSum(sums[i][j]);
    rows[i] = _mm512_add_epi32(_mm512_load_si512(whole), _mm512_set1_epi32(d.to.added[row + i]));
  }
  Store<true, 1>({rows, kRows, 1, row, 0}, d);
}

template <int kColumns>
void FewRows(const ByteDot& d) {
  std::int64_t row = 0;
  for (; row + 4 <= d.rows; row += 4) FewTile<4, kColumns>(d, row);
  for (; row < d.rows; ++row) FewTile<1, kColumns>(d, row);
}

void FewColumns(const ByteDot& d) {
  static_assert(kByteDotFew == 4);
  switch (d.columns) {
    case 1:
      return FewRows<1>(d);
    case 2:
      return FewRows<2>(d);
    case 3:
      return FewRows<3>(d);
    default:
      return FewRows<4>(d);
  }
}

}  // namespace

bool HasByteDot() {
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}

void RunByteDot(const ByteDot& dot) {
  if (dot.few) return FewColumns(dot);
  dot.a_signed ? AllRows<true>(dot) : AllRows<false>(dot);
}

}  // namespace slipway::runtime

#else

namespace slipway::runtime {

bool HasByteDot() { return false; }
void RunByteDot(const ByteDot&) {}

}  // namespace slipway::runtime

#endif
