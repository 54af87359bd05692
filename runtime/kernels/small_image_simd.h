// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/kernels/conv_simd.h"

/// The inner loops of convolutions and pools so small that all they read stays near, on blocks of
/// channels: lists say where the numbers lie that go together. Thread-safe; they allocate nothing.
namespace slipway::runtime {

struct SmallConv {
  const float* x = nullptr;                    ///< an image with its padding
  std::span<const std::int32_t> windows = {};  ///< where the window of each position begins
  std::span<const std::int32_t> taps = {};     ///< where from there each of its numbers lies
  const float* w = nullptr;                    ///< [blocks, taps, block]
  const float* bias = nullptr;                 ///< [blocks, block]
  const float* z = nullptr;                    ///< added, as y lies; may be y; null: 0
  float* y = nullptr;                          ///< [blocks, windows, block]
  std::int64_t blocks = 0;                     ///< of channels of output
  ConvBounds bounds = {};
};
/// `block`: 8 or 16.
void RunSmallConv(const SmallConv& conv, std::int64_t block);

struct SmallPool {
  const float* x = nullptr;  ///< planes of blocks, `plane` numbers each
  std::int64_t planes = 0, plane = 0;
  std::span<const std::int32_t> taps = {};  ///< of a plane's positions, where they lie in it
  std::span<const std::int32_t> ends = {};  ///< per position, where its taps end in that list
  std::span<const float> counts = {};       ///< what sums are divided by; none: the largest number
  float* y = nullptr;                       ///< [planes, ends, block]
};
/// `block`: 8 or 16. Each position has a tap. The largest number is the first where that is none.
void RunSmallPool(const SmallPool& pool, std::int64_t block);

}  // namespace slipway::runtime
