// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/op.h"

namespace slipway::runtime {

/// y[m, n] = a * transposed(w) + beta * y, where w [n, k] is not there as floats: its rows are
/// unpacked a panel at a time, and multiplied by BLAS. a: m rows of k.
struct UnpackedProduct {
  const Tensor& a;
  std::int64_t n, k;
  float* y;
  float beta = 0;
  /// Writes the rows [first, first + count) of w to `to`; called from several threads at once.
  std::function<void(std::int64_t first, std::int64_t count, float* to)> unpack;
};
Result<void> RunUnpackedProduct(const UnpackedProduct& product, KernelContext& context);

}  // namespace slipway::runtime
