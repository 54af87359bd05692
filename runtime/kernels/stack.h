// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime/graph/graph.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// Item `index` of `tensor` along `axis`, without that axis.
Result<Tensor> SliceAt(KernelContext& context, const Tensor& tensor, std::int64_t axis,
                       std::int64_t index);

/// The same, along the first axis, which is how most are gone through, without a copy: a view that
/// keeps `tensor`.
Result<Tensor> StepOf(KernelContext& context, const Tensor& tensor, std::int64_t axis,
                      std::int64_t index);

/// Tensors of one shape and type, one behind another along a new `axis`; last first if
/// `reversed`. kInvalidArgument naming the first that differs.
Result<Tensor> StackTensors(KernelContext& context, const std::vector<Value>& items,
                            std::int64_t axis, bool reversed);

/// What stacking no items gives: the declared shape with dimension 0 at `axis`; dimensions that
/// are not declared are 0 too.
Result<Tensor> StackOfNone(const ValueInfo& declared, std::int64_t axis);

}  // namespace slipway::runtime
