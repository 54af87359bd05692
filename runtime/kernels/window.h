// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/op.h"

/// Arithmetic of sliding windows: convolutions and pools.
namespace slipway::runtime {

/// One element under a window: which of the kernel's, which of the input's (row-major).
struct Tap {
  std::int64_t kernel, input;
};

/// How a kernel slides over the spatial dimensions.
struct Window {
  Shape input = {}, output = {}, kernel = {};
  std::vector<std::int64_t> strides = {}, dilations = {}, pads_begin = {}, pads_end = {};

  std::int64_t input_size() const;
  std::int64_t output_size() const;
  std::int64_t kernel_size() const;
  /// What the window at output position `at` (row-major) covers of the input.
  void Taps(std::int64_t at, std::vector<Tap>& taps) const;
  /// How many positions of that window lie in the input or its declared padding.
  std::int64_t PaddedCount(std::int64_t at) const;
};

/// Whether each position of the output is under the same one of the input, and no other.
bool IsPointwise(const Window& window);

/// From the attributes `auto_pad`, `pads`, `strides`, `dilations` and `ceil_mode` over inputs
/// [N, C, spatial...]; the output size follows. kInvalidArgument naming the attribute.
Result<Window> MakeWindow(const NodeFacts& node, const Shape& input, const Shape& kernel);

/// For pools: the kernel is the attribute `kernel_shape`.
Result<Window> PoolWindow(const NodeFacts& node);

/// A list attribute with one positive number per spatial dimension; `fallback` for each where
/// absent.
Result<std::vector<std::int64_t>> PerDimension(const NodeFacts& node, std::string_view name,
                                               std::size_t spatial, std::int64_t fallback,
                                               std::int64_t least);

/// The attribute `pads`: begins, then ends.
Result<void> ReadPads(const NodeFacts& node, Window& window);

/// The batch and channel dimensions of `x`, then `spatial`.
Shape WithSpatial(std::int64_t batch, std::int64_t channels, const Shape& spatial);

/// kInvalidArgument unless input 0 is [N, C, spatial...] with at least one spatial dimension.
Result<Shape> SpatialOf(const Shape& x);

}  // namespace slipway::runtime
