// SPDX-License-Identifier: Apache-2.0
// MatMul, then Add of one row, then an elementwise activation, and Gemm and an activation: all of
// it becomes `slipway.MatMul`.
#include <optional>

#include "runtime/graph/activation.h"
#include "runtime/graph/pattern.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// The row that the one user of `sum` adds to it; if there is one, `add` becomes that node.
ValueId AddedRow(const Rewriter& graph, ValueId sum, const Shape& sums, std::size_t& add) {
  std::size_t user = 0;
  const ValueId other = UserWith(graph, sum, "Add", user);
  if (other == kNoValue || !IsRowOf(graph, other, sums)) return kNoValue;
  add = user;
  return other;
}

/// Whether the product is one of rows, and Gemm's own sum one that `slipway.MatMul` has.
bool IsPlain(const Rewriter& graph, const NodeData& node, const Shape& sums) {
  if (sums.size() < 2 || sums.back() < 1 || CountOf(sums, 0, sums.size()) == sums.back()) {
    return false;
  }
  if (node.domain.empty() && node.type == "MatMul") return true;
  if (!node.domain.empty() || node.type != "Gemm" || node.attributes.Float("alpha", 1) != 1)
    return false;
  if (node.attributes.Int("transA", 0) != 0) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  return node.attributes.Float("beta", 1) == 1 && IsRowOf(graph, node.inputs[2], sums);
}

Result<bool> Fuse(Rewriter& graph, std::size_t product) {
  const ValueId sum = graph.node(product).outputs[0];
  const Shape* sums = FloatShape(graph, sum);
  if (sums == nullptr || !IsPlain(graph, graph.node(product), *sums)) return false;
  ValueId row = graph.Input(product, 2);
  std::size_t add = product;
  if (row == kNoValue) row = AddedRow(graph, sum, *sums, add);
  std::size_t last = row == kNoValue ? product : add;
  const std::int64_t user = graph.OnlyUser(graph.node(last).outputs[0]);
  const auto activation =
      user < 0 ? std::nullopt : ActivationOf(graph, static_cast<std::size_t>(user));
  if (activation) last = static_cast<std::size_t>(user);
  if (last == product) return false;
  Attributes attributes;
  if (graph.node(product).attributes.Int("transB", 0) != 0) {
    attributes.Set("transB", std::int64_t{1});
  }
  if (activation) SetActivation(attributes, *activation);
  std::vector<ValueId> inputs = {graph.Input(product, 0), graph.Input(product, 1)};
  if (row != kNoValue) inputs.push_back(row);
  if (add != product && add != last) graph.Remove(add);
  graph.BecomeLike(last, product, std::move(inputs));
  graph.node(last).attributes = std::move(attributes);
  graph.Remove(product);
  TRY(graph.SetOperator(last, "slipway", "MatMul", 1));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) { return Fuse(graph, i); });
}

}  // namespace

Pass passes_fuse_matmul() {
  return {.stage = 125,
          .summary = "adds rows and applies activations in the MatMul before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
