// SPDX-License-Identifier: Apache-2.0
// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * scale + shift along the last dimension,
// as exporters spell it, becomes LayerNormalization.
#include <optional>

#include "runtime/graph/pattern.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// What it is the mean of, along the last dimension, which stays as one number; else kNoValue.
ValueId MeanOf(const Rewriter& graph, ValueId id) {
  const NodeData* node = MakerOf(graph, id, "ReduceMean");
  if (node == nullptr || node->attributes.Int("keepdims", 1) == 0) return kNoValue;
  const Shape* x = FloatShape(graph, node->inputs[0]);
  std::vector<std::int64_t> axes = node->attributes.Ints("axes", {});
  if (node->inputs.size() > 1 && node->inputs[1] != kNoValue) {
    const Tensor* given = graph.Constant(node->inputs[1]);
    if (given == nullptr || given->dtype() != DType::kInt64 || given->size() != 1) return kNoValue;
    axes = {given->data<std::int64_t>()[0]};
  }
  if (x == nullptr || axes.size() != 1) return kNoValue;
  const auto last = static_cast<std::int64_t>(x->size()) - 1;
  return axes[0] == -1 || axes[0] == last ? node->inputs[0] : kNoValue;
}

/// x, of x - mean(x).
ValueId CenteredOf(const Rewriter& graph, ValueId id) {
  const NodeData* node = MakerOf(graph, id, "Sub");
  if (node == nullptr) return kNoValue;
  return MeanOf(graph, node->inputs[1]) == node->inputs[0] ? node->inputs[0] : kNoValue;
}

/// What it is the square of.
ValueId SquareOf(const Rewriter& graph, ValueId id) {
  if (const NodeData* power = MakerOf(graph, id, "Pow")) {
    const bool two = IsNear(NumberBeside(graph, power->inputs[1], power->inputs[0]), 2);
    return two ? power->inputs[0] : kNoValue;
  }
  const NodeData* product = MakerOf(graph, id, "Mul");
  return product != nullptr && product->inputs[0] == product->inputs[1] ? product->inputs[0]
                                                                        : kNoValue;
}

/// Epsilon, of sqrt(mean((x - mean(x))^2) + epsilon).
std::optional<double> EpsilonOf(const Rewriter& graph, ValueId id, ValueId x) {
  const NodeData* root = MakerOf(graph, id, "Sqrt");
  const NodeData* sum = root == nullptr ? nullptr : MakerOf(graph, root->inputs[0], "Add");
  if (sum == nullptr) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    const ValueId variance = sum->inputs[side];
    const auto epsilon = NumberBeside(graph, sum->inputs[1 - side], variance);
    const ValueId squares = MeanOf(graph, variance);
    if (!epsilon || squares == kNoValue) continue;
    if (CenteredOf(graph, SquareOf(graph, squares)) == x) return epsilon;
  }
  return std::nullopt;
}

/// Whether `id` is one number for each column of `rows`.
bool IsVectorOf(const Rewriter& graph, ValueId id, const Shape& rows) {
  const Shape* shape = FloatShape(graph, id);
  return shape != nullptr && *shape == Shape{rows.back()};
}

Result<bool> Fuse(Rewriter& graph, std::size_t quotient) {
  const NodeData& node = graph.node(quotient);
  const ValueId x = CenteredOf(graph, node.inputs[0]);
  const Shape* rows = FloatShape(graph, x);
  if (rows == nullptr || rows->empty() || rows->back() == 0) return false;
  const auto epsilon = EpsilonOf(graph, node.inputs[1], x);
  if (!epsilon) return false;
  std::size_t product = 0, sum = 0;
  const ValueId scale = UserWith(graph, node.outputs[0], "Mul", product);
  if (!IsVectorOf(graph, scale, *rows)) return false;
  const ValueId shift = UserWith(graph, graph.node(product).outputs[0], "Add", sum);
  const bool shifted = IsVectorOf(graph, shift, *rows);
  const std::size_t last = shifted ? sum : product;
  graph.Remove(quotient);
  if (shifted) graph.Remove(product);
  std::vector<ValueId> inputs = {x, scale};
  if (shifted) inputs.push_back(shift);
  graph.BecomeLike(last, last, std::move(inputs));
  NodeData& made = graph.node(last);
  made.attributes = {};
  made.attributes.Set("axis", std::int64_t{-1});
  made.attributes.Set("epsilon", static_cast<float>(*epsilon));
  TRY(graph.SetOperator(last, "", "LayerNormalization", 17));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    if (!IsNode(graph.node(i), "Div")) return false;
    return Fuse(graph, i);
  });
}

}  // namespace

Pass passes_fuse_layer_norm() {
  return {.stage = 121,
          .summary = "makes LayerNormalization of the nodes it is spelt in",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
