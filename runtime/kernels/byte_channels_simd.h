// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/window.h"

/// Depthwise convolutions of small planes of bytes: sixteen channels side by side.
namespace slipway::runtime {

inline constexpr std::int64_t kByteChannels = 16;

/// What the windows of a plane cover: of output i taps [ends[i - 1], ends[i]).
struct ByteTaps {
  std::span<const Tap> taps;
  std::span<const std::int64_t> ends;
};

/// Up to kByteChannels planes of `in` bytes, one after another, less `zero`; planes of the output
/// as well. Numbers of 32 bits are those of the channels, side by side.
struct ByteChannels {
  const std::uint8_t* x = nullptr;
  bool is_signed = false;
  std::int32_t zero = 0;
  std::int64_t channels = 0, in = 0;
  const std::int32_t* weights = nullptr;  ///< [kernel, kByteChannels], the low 16 bits of them
  std::int32_t* room = nullptr;           ///< [in, kByteChannels]
  ByteDotSums to = {};                    ///< of columns, with scales
};
/// Only where HasByteDot(). Thread-safe; allocates nothing.
void RunByteChannels(const ByteChannels& channels, const ByteTaps& taps);

}  // namespace slipway::runtime
