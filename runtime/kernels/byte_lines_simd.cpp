// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_lines_simd.h"

#if defined(__x86_64__)

// Its undefined vectors are meant to be.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <algorithm>

#include "runtime/kernels/byte_dot_store.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kBytes = 64;
constexpr int kVectors = 4;

SLIPWAY_VNNI inline __mmask64 FirstBytes(std::int64_t count) {
  return count >= kBytes ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
}

/// Every lane has four windows of four bytes, `stride` apart, from `first` on.
template <int stride>
SLIPWAY_VNNI inline __m512i WindowsFrom(int first) {
  alignas(16) std::int8_t order[16];
  for (int i = 0; i < 16; ++i) order[i] = static_cast<std::int8_t>(first + i / 4 * stride + i % 4);
  return _mm512_maskz_broadcast_i32x4(0xffff,
                                      _mm_load_si128(reinterpret_cast<const __m128i*>(order)));
}

/// Sums of 64 outputs of a line whose first window's first byte is at `x`: lane l of vector v has
/// outputs 16 * l + 4 * v on.
template <int stride>
SLIPWAY_VNNI inline void SumLine(const ByteWindows& w, const std::uint8_t* x, __m512i* sums) {
  const __m512i order[2] = {WindowsFrom<stride>(0), WindowsFrom<stride>(4)};
  const __m512i far = WindowsFrom<stride>(8);
  __m512i all[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) all[v] = _mm512_set1_epi32(*w.to.added);
  const std::int32_t* taps = w.taps;
  for (std::int64_t row = 0; row < w.kernel_rows; ++row, x += w.pitch) {
    const std::uint8_t* from = x;
    for (std::int64_t quad = 0; quad < w.quads; ++quad, from += 4) {
      const __m512i tap = _mm512_set1_epi32(*taps++);
      if constexpr (stride == 1) {
        const __m512i near = _mm512_loadu_si512(from), next = _mm512_loadu_si512(from + 4);
        all[0] = _mm512_dpbusd_epi32(all[0], _mm512_shuffle_epi8(near, order[0]), tap);
        all[1] = _mm512_dpbusd_epi32(all[1], _mm512_shuffle_epi8(near, order[1]), tap);
        all[2] = _mm512_dpbusd_epi32(all[2], _mm512_shuffle_epi8(near, far), tap);
        all[3] = _mm512_dpbusd_epi32(all[3], _mm512_shuffle_epi8(next, far), tap);
      } else {
#pragma GCC unroll 4
        for (std::int64_t v = 0; v < kVectors; ++v) {
          const __m512i low = _mm512_loadu_si512(from + v * 8);
          const __m512i high = _mm512_loadu_si512(from + kBytes + v * 8);
          const __m512i lanes = _mm512_maskz_shuffle_i64x2(0xff, low, high, 0x88);
          all[v] = _mm512_dpbusd_epi32(all[v], _mm512_shuffle_epi8(lanes, order[0]), tap);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) _mm512_store_si512(sums + v, all[v]);
}

/// `count` outputs of a line as bytes, whole vectors of them.
template <int stride>
SLIPWAY_VNNI void RunLine(const ByteWindows& w, const std::uint8_t* x, std::int64_t count,
                          const Scaling& scaling, std::uint8_t* y) {
  const __m512 scale = _mm512_set1_ps(*w.to.near);
  for (std::int64_t i = 0; i < count; i += kBytes) {
    alignas(64) __m512i sums[kVectors], steps[kVectors];
    SumLine<stride>(w, x + i * stride, sums);
    __mmask16 doubts = 0;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      steps[v] = NearSteps(_mm512_load_si512(sums + v), scale, scaling, doubts);
    }
    for (int v = 0; doubts != 0 && v < kVectors; ++v) {
      ExactSteps(sums + v, w.to.scales, true, scaling, steps + v);
    }
    _mm512_storeu_si512(y + i, MixedBytesOf(steps, scaling));
  }
}

/// Windows of all rows of the plane are one line, and so are the bytes they give.
SLIPWAY_VNNI void RunAsOneLine(const ByteWindows& w, const Scaling& scaling) {
  RunLine<1>(w, w.x, (w.height - 1) * w.pitch + w.width, scaling, w.room);
  auto* const y = static_cast<std::uint8_t*>(w.to.y);
  for (std::int64_t i = 0; i < w.height; ++i) {
    for (std::int64_t j = 0; j < w.width; j += kBytes) {
      const __mmask64 some = FirstBytes(w.width - j);
      const __m512i bytes = _mm512_loadu_si512(w.room + i * w.pitch + j);
      _mm512_mask_storeu_epi8(y + i * w.to.y_stride + j, some, bytes);
    }
  }
}

SLIPWAY_VNNI void RunRowByRow(const ByteWindows& w, const Scaling& scaling) {
  auto* const y = static_cast<std::uint8_t*>(w.to.y);
  for (std::int64_t i = 0; i < w.height; ++i) {
    RunLine<2>(w, w.x + i * w.stride * w.pitch, w.width, scaling, w.room);
    std::copy_n(w.room, w.width, y + i * w.to.y_stride);
  }
}

SLIPWAY_VNNI void Run(const ByteWindows& w) {
  const Scaling scaling = ScalingOf(w.to);
  w.stride == 1 ? RunAsOneLine(w, scaling) : RunRowByRow(w, scaling);
}

/// Bytes up to `end`, in whole vectors.
SLIPWAY_VNNI inline void Fill(std::uint8_t* from, const std::uint8_t* end, __m512i bytes) {
  for (; from < end; from += kBytes) _mm512_storeu_si512(from, bytes);
}

/// What is written behind a row is padding, over which the next one is written.
SLIPWAY_VNNI void Pad(const BytePlane& p) {
  const __m512i fill = _mm512_set1_epi8(static_cast<char>(p.fill));
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(p.flip));
  std::uint8_t* row = p.to + p.top * p.pitch + p.left;
  Fill(p.to, row, fill);
  const std::uint8_t* from = p.from;
  for (std::int64_t i = 0; i < p.height; ++i, from += p.width, row += p.pitch) {
    std::int64_t j = 0;
    for (; j < p.width; j += kBytes) {
      const __mmask64 some = FirstBytes(p.width - j);
      const __m512i bytes = _mm512_xor_si512(_mm512_maskz_loadu_epi8(some, from + j), flip);
      _mm512_storeu_si512(row + j, _mm512_mask_blend_epi8(some, fill, bytes));
    }
    Fill(row + j, row + p.pitch, fill);
  }
  Fill(row, p.to + p.rows * p.pitch, fill);
}

}  // namespace

std::int64_t LineRoom(std::int64_t height, std::int64_t pitch) { return height * pitch + kBytes; }
void RunByteWindows(const ByteWindows& windows) { Run(windows); }
void PadPlane(const BytePlane& plane) { Pad(plane); }

}  // namespace slipway::runtime

#else

namespace slipway::runtime {

std::int64_t LineRoom(std::int64_t, std::int64_t) { return 0; }
void RunByteWindows(const ByteWindows&) {}
void PadPlane(const BytePlane&) {}

}  // namespace slipway::runtime

#endif
