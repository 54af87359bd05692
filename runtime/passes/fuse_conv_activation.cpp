// SPDX-License-Identifier: Apache-2.0
// Conv, then an elementwise activation: the activation becomes an attribute of `slipway.Conv`.
#include "runtime/graph/activation.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool IsFloat(const Rewriter& graph, ValueId id) {
  const ValueFacts* facts = graph.Facts(id);
  return facts != nullptr && (facts->dtype == DType::kFloat32 || facts->dtype == DType::kFloat64);
}

bool IsOpenConv(const NodeData& node) {
  if (node.type != "Conv") return false;
  if (node.domain.empty()) return true;
  return node.domain == "slipway" && node.attributes.String("activation", "").empty();
}

Result<bool> Fuse(Rewriter& graph, std::size_t index) {
  const auto activation = ActivationOf(graph, index);
  if (!activation) return false;
  const ValueId sum = graph.Input(index, 0);
  const std::int64_t producer = graph.Producer(sum);
  if (producer < 0 || graph.OnlyUser(sum) != static_cast<std::int64_t>(index)) return false;
  const auto conv = static_cast<std::size_t>(producer);
  if (!IsOpenConv(graph.node(conv)) || !IsFloat(graph, sum)) return false;
  SetActivation(graph.node(conv).attributes, *activation);
  const ValueId output = graph.node(index).outputs[0];
  graph.Remove(index);
  graph.SetOutput(conv, sum, output);
  TRY(graph.SetOperator(conv, "slipway", "Conv", 1));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) { return Fuse(graph, i); });
}

}  // namespace

Pass passes_fuse_conv_activation() {
  return {.stage = 110,
          .summary = "applies activations in the Conv before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
