// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/kernels/numbers.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// Caches of cosines and sines [positions, width / 2] for rotary position embedding.
/// Source: https://arxiv.org/abs/2104.09864
class RotaryCache {
 public:
  /// kInvalidArgument naming caches that do not fit one another or heads of `head` numbers.
  static Result<void> Check(const Shape& cosines, const Shape& sines, std::int64_t head);

  RotaryCache() = default;
  RotaryCache(const Tensor& cosines, const Tensor& sines, bool interleaved);

  std::int64_t positions() const { return positions_; }
  /// Turns the first numbers of a head, in pairs: neighbours where interleaved, else one of each
  /// half. The position must be in range.
  void Rotate(double* head, std::int64_t position) const;

 private:
  Tensor cosines_, sines_;
  std::int64_t positions_ = 0, pairs_ = 0;
  bool interleaved_ = false;
};

}  // namespace slipway::runtime
