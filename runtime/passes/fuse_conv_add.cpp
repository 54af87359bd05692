// SPDX-License-Identifier: Apache-2.0
// Conv, then Add (or Sum) of a tensor of the same shape (a residual connection): the tensor becomes
// the fourth input of `slipway.Conv`.
#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool SameShapes(const Rewriter& graph, ValueId a, ValueId b) {
  const ValueFacts* x = graph.Facts(a);
  const ValueFacts* y = graph.Facts(b);
  if (x == nullptr || y == nullptr || !x->shape || x->shape != y->shape) return false;
  return x->dtype == y->dtype && (x->dtype == DType::kFloat32 || x->dtype == DType::kFloat64);
}

Result<bool> Fuse(Rewriter& graph, std::size_t add, std::size_t side) {
  const ValueId sum = graph.Input(add, side);
  const ValueId other = graph.Input(add, 1 - side);
  const std::int64_t producer = graph.Producer(sum);
  if (producer < 0 || graph.OnlyUser(sum) != static_cast<std::int64_t>(add)) return false;
  const auto conv = static_cast<std::size_t>(producer);
  const NodeData& node = graph.node(conv);
  if (!node.domain.empty() || node.type != "Conv" || !SameShapes(graph, sum, other)) return false;
  graph.BecomeLike(add, conv,
                   {graph.Input(conv, 0), graph.Input(conv, 1), graph.Input(conv, 2), other});
  TRY(graph.SetOperator(add, "slipway", "Conv", 1));
  graph.Remove(conv);
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    const bool adds = node.type == "Add" || (node.type == "Sum" && node.inputs.size() == 2);
    if (!node.domain.empty() || !adds) return false;
    return TRY(Fuse(graph, i, 0)) || TRY(Fuse(graph, i, 1));
  });
}

}  // namespace

Pass passes_fuse_conv_add() {
  return {.stage = 100,
          .summary = "adds residual tensors in the Conv before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
