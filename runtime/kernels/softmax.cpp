// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/softmax.h"

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<SoftmaxShape> SoftmaxShapeOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::int64_t rank = RankOf(x);
  std::int64_t axis = node.attributes.Int("axis", node.op->since < 13 ? 1 : -1);
  if (node.op->since >= 13) {
    if (rank == 0 && (axis == 0 || axis == -1)) return SoftmaxShape{};
    axis = TRY(NormalizeAxis(axis, rank));
    return SoftmaxShape{CountOf(x, 0, At(axis)), x[At(axis)], CountOf(x, At(axis) + 1, x.size())};
  }
  if (axis < -rank || axis > rank) {
    return Invalid("axis ", axis, " out of range [", -rank, ", ", rank, "]");
  }
  if (axis < 0) axis += rank;
  return SoftmaxShape{CountOf(x, 0, At(axis)), CountOf(x, At(axis), x.size()), 1};
}

}  // namespace slipway::runtime
