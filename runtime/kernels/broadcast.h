// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

/// How operands of several shapes run along the output they broadcast to. Dimensions are merged
/// where every operand goes through them in step, so that the innermost is as long as can be.
struct BroadcastPlan {
  Shape dims;  ///< of the output, merged; at least one
  /// Per operand and dimension: elements to advance, 0 where it repeats.
  std::vector<std::vector<std::int64_t>> strides;
  std::int64_t size = 0;  ///< elements of the output

  std::int64_t inner() const { return dims.back(); }
  /// 0 or 1.
  std::int64_t inner_stride(std::size_t operand) const { return strides[operand].back(); }
  /// First element of each operand in run number `row`.
  void Locate(std::int64_t row, std::vector<std::int64_t>& offsets) const;
};

/// Each operand must broadcast to `out`.
BroadcastPlan PlanBroadcast(const Shape& out, const std::vector<Shape>& operands);

/// Shapes of the two inputs of a binary operator, ready for NumPy's rule: those before opset 7
/// have `broadcast` and `axis`, which place B's dimensions inside A's. kInvalidArgument where
/// the operator's own version does not allow the pair.
Result<std::vector<Shape>> BinaryShapes(const NodeFacts& node);

/// Type of input 0, shape of BinaryShapes broadcast.
Result<Facts> InferBinary(const NodeFacts& node);
/// Same, of bool.
Result<Facts> InferBinaryBool(const NodeFacts& node);

/// Calls body(output offset, operand offsets, length) for every piece of elements [begin, end)
/// within one run of the innermost dimension.
template <class Body>
void ForEachRun(const BroadcastPlan& plan, std::int64_t begin, std::int64_t end, Body&& body) {
  if (begin >= end) return;
  const std::int64_t inner = plan.inner();
  std::vector<std::int64_t> offsets(plan.strides.size());
  std::int64_t column = begin % inner;
  for (std::int64_t at = begin; at < end;) {
    plan.Locate(at / inner, offsets);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] += column * plan.inner_stride(i);
    const std::int64_t length = std::min(inner - column, end - at);
    body(at, offsets, length);
    at += length;
    column = 0;
  }
}

}  // namespace slipway::runtime
