// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
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
  /// The same, and where that run is in the dimensions but the innermost.
  std::vector<std::int64_t> IndexOf(std::int64_t row, std::vector<std::int64_t>& offsets) const;
  /// From one run to the next.
  void Advance(std::vector<std::int64_t>& index, std::vector<std::int64_t>& offsets) const {
    for (std::size_t d = index.size(); d-- > 0;) {
      const std::int64_t back = ++index[d] < dims[d] ? 0 : dims[d];
      for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] += (1 - back) * strides[i][d];
      if (back == 0) return;
      index[d] = 0;
    }
  }
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
  std::vector<std::int64_t> row(plan.strides.size());
  const std::int64_t column = begin % inner;
  std::int64_t length = std::min(inner - column, end - begin);
  std::vector<std::int64_t> index = plan.IndexOf(begin / inner, row);
  std::vector<std::int64_t> first = row;
  for (std::size_t i = 0; i < first.size(); ++i) first[i] += column * plan.inner_stride(i);
  body(begin, first, length);
  for (std::int64_t at = begin + length; at < end; at += length) {
    plan.Advance(index, row);
    length = std::min(inner, end - at);
    body(at, std::as_const(row), length);
  }
}

}  // namespace slipway::runtime
