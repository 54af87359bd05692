// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/tensor.h"

namespace slipway::runtime {

/// Matrices of float32, `count` of them, each [depth, width] in `w`, as [width, depth].
Result<Tensor> Turned(const Tensor& w, std::int64_t count, std::int64_t depth, std::int64_t width);

}  // namespace slipway::runtime
