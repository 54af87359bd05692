// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_simd.h"
#include "runtime/kernels/curves_simd.h"

namespace slipway::runtime {

/// The function that a convolution of our own applies to its sums: as bounds that its loops hold
/// numbers within, or all at once after them.
class ConvFinish {
 public:
  static Result<ConvFinish> Of(const NodeFacts& node);
  const ConvBounds& bounds() const { return bounds_; }
  /// Applies to output 0 what bounds cannot say.
  void Rest(KernelContext& context) const;

 private:
  std::optional<CurveCall> rest_ = {};
  ConvBounds bounds_ = {};
};

}  // namespace slipway::runtime
