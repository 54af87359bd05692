// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/op.h"

namespace slipway::runtime {

/// Input as [outer, count, inner]: rows run along `count`.
struct SoftmaxShape {
  std::int64_t outer = 1, count = 1, inner = 1;
};

/// By the version's meaning of `axis`. kInvalidArgument where it is out of range.
Result<SoftmaxShape> SoftmaxShapeOf(const NodeFacts& node);

}  // namespace slipway::runtime
