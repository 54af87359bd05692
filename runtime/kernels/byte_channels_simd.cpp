// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_channels_simd.h"

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

constexpr int kOutputs = 4;

/// The planes side by side, the zero point less.
template <class T>
void LaySideBySide(const ByteChannels& c) {
  const T* from = reinterpret_cast<const T*>(c.x);
  for (std::int64_t channel = 0; channel < c.channels; ++channel, from += c.in) {
    std::int32_t* to = c.room + channel;
    for (std::int64_t i = 0; i < c.in; ++i, to += kByteChannels) *to = from[i] - c.zero;
  }
}

SLIPWAY_VNNI inline __m512i SumOf(const ByteChannels& c, std::span<const Tap> taps) {
  __m512i sum = _mm512_loadu_si512(c.to.added);
  for (const Tap& tap : taps) {
    sum = _mm512_dpwssd_epi32(sum, _mm512_loadu_si512(c.room + tap.input * kByteChannels),
                              _mm512_loadu_si512(c.weights + tap.kernel * kByteChannels));
  }
  return sum;
}

/// Of `bytes` each lane has four channels of one output after another.
SLIPWAY_VNNI void StoreOutputs(__m512i bytes, const ByteChannels& c, std::int64_t first,
                               std::int64_t count) {
  alignas(64) std::uint8_t all[64];
  _mm512_store_si512(all, bytes);
  auto* y = static_cast<std::uint8_t*>(c.to.y) + first;
  for (std::int64_t channel = 0; channel < c.channels; ++channel, y += c.to.y_stride) {
    const std::uint8_t* const of = all + channel / 4 * 16 + channel % 4;
    for (std::int64_t i = 0; i < count; ++i) y[i] = of[i * 4];
  }
}

SLIPWAY_VNNI void Run(const ByteChannels& c, const ByteTaps& taps) {
  const Scaling scaling = ScalingOf(c.to);
  const __m512 scale = _mm512_loadu_ps(c.to.near);
  const std::int64_t outputs = std::ssize(taps.ends);
  std::int64_t begin = 0;
  for (std::int64_t first = 0; first < outputs; first += kOutputs) {
    const std::int64_t count = std::min<std::int64_t>(kOutputs, outputs - first);
    alignas(64) __m512i sums[kOutputs] = {}, steps[kOutputs] = {};
    __mmask16 doubts = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t end = taps.ends[static_cast<std::size_t>(first + i)];
      sums[i] = SumOf(c, taps.taps.subspan(static_cast<std::size_t>(begin),
                                           static_cast<std::size_t>(end - begin)));
      steps[i] = NearSteps(sums[i], scale, scaling, doubts);
      begin = end;
    }
    for (std::int64_t i = 0; doubts != 0 && i < count; ++i) {
      ExactSteps(sums + i, c.to.scales, false, scaling, steps + i);
    }
    StoreOutputs(MixedBytesOf(steps, scaling), c, first, count);
  }
}

}  // namespace

void RunByteChannels(const ByteChannels& channels, const ByteTaps& taps) {
  channels.is_signed ? LaySideBySide<std::int8_t>(channels) : LaySideBySide<std::uint8_t>(channels);
  Run(channels, taps);
}

}  // namespace slipway::runtime

#else

namespace slipway::runtime {

void RunByteChannels(const ByteChannels&, const ByteTaps&) {}

}  // namespace slipway::runtime

#endif
