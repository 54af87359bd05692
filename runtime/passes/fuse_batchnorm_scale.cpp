// SPDX-License-Identifier: Apache-2.0
// BatchNormalization outside of training, then Mul or Add of a constant per channel: the constant
// becomes part of its scale and bias.
#include "runtime/graph/inference.h"
#include "runtime/graph/per_channel.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kScale = 1, kBias = 2;

Result<bool> Fuse(Rewriter& graph, std::size_t after, std::size_t side) {
  const ValueId value = graph.Input(after, side);
  const Tensor* constant = graph.Constant(graph.Input(after, 1 - side));
  const std::int64_t producer = graph.Producer(value);
  if (constant == nullptr || producer < 0 ||
      graph.OnlyUser(value) != static_cast<std::int64_t>(after)) {
    return false;
  }
  const auto norm = static_cast<std::size_t>(producer);
  const NodeData& node = graph.node(norm);
  if (!IsInferenceNormalization(node)) return false;
  const Tensor* scale = graph.Constant(graph.Input(norm, kScale));
  const Tensor* bias = graph.Constant(graph.Input(norm, kBias));
  const ValueFacts* facts = graph.Facts(graph.Input(norm, 0));
  if (scale == nullptr || bias == nullptr || facts == nullptr || !facts->shape ||
      scale->rank() != 1 || scale->dtype() != constant->dtype() ||
      bias->dtype() != scale->dtype() || bias->shape() != scale->shape()) {
    return false;
  }
  const auto rank = static_cast<std::int64_t>(facts->shape->size());
  const auto numbers = TRY(PerChannel(*constant, rank, scale->dim(0)));
  if (!numbers) return false;
  const std::string name = node.name;
  const ValueId output = graph.node(after).outputs[0];
  if (graph.node(after).type == "Mul") {
    Tensor scaled = TRY(ProductOf(*scale, *numbers));
    Tensor moved = TRY(ProductOf(*bias, *numbers));
    graph.SetInput(norm, kScale, graph.AddConstant(name + "/scaled", std::move(scaled)));
    graph.SetInput(norm, kBias, graph.AddConstant(name + "/scaled_bias", std::move(moved)));
  } else {
    Tensor moved = TRY(SumOf(*bias, *numbers));
    graph.SetInput(norm, kBias, graph.AddConstant(name + "/added_bias", std::move(moved)));
  }
  graph.Remove(after);
  graph.SetOutput(norm, value, output);
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    if (!LinesUpFromTheRight(node) || (node.type != "Mul" && node.type != "Add")) return false;
    return TRY(Fuse(graph, i, 0)) || TRY(Fuse(graph, i, 1));
  });
}

}  // namespace

Pass passes_fuse_batchnorm_scale() {
  return {.stage = 105,
          .summary = "multiplies and adds constants in the BatchNormalization before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
