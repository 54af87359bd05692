// SPDX-License-Identifier: Apache-2.0
// Conv, then an elementwise activation: the activation becomes an attribute of `slipway.Conv`.
#include <algorithm>
#include <limits>
#include <optional>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

struct Activation {
  std::string name;
  float alpha = 0;
  float beta = 0;
};

bool IsFloat(const Rewriter& graph, ValueId id) {
  const ValueFacts* facts = graph.Facts(id);
  return facts != nullptr && (facts->dtype == DType::kFloat32 || facts->dtype == DType::kFloat64);
}

/// A bound of Clip: the attribute in old versions, else a constant scalar of float32.
std::optional<float> Bound(const Rewriter& graph, std::size_t index, std::size_t input,
                           std::string_view attribute, float absent) {
  const NodeData& node = graph.node(index);
  if (node.opset < 11) return node.attributes.Float(attribute, absent);
  const ValueId id = graph.Input(index, input);
  if (id == kNoValue) return absent;
  const Tensor* tensor = graph.Constant(id);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->size() != 1) {
    return std::nullopt;
  }
  return tensor->data<float>()[0];
}

std::optional<Activation> ActivationOf(const Rewriter& graph, std::size_t index) {
  constexpr std::string_view kPlain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish"};
  constexpr float kMost = std::numeric_limits<float>::max();
  const NodeData& node = graph.node(index);
  const Attributes& attributes = node.attributes;
  if (!node.domain.empty() || node.inputs.empty()) return std::nullopt;
  if (std::ranges::find(kPlain, node.type) != std::end(kPlain))
    return Activation{.name = node.type};
  if (node.type == "LeakyRelu") return Activation{node.type, attributes.Float("alpha", 0.01F)};
  if (node.type == "Elu") return Activation{node.type, attributes.Float("alpha", 1)};
  if (node.type == "HardSigmoid") {
    return Activation{node.type, attributes.Float("alpha", 0.2F), attributes.Float("beta", 0.5F)};
  }
  if (node.type != "Clip") return std::nullopt;
  const auto low = Bound(graph, index, 1, "min", -kMost);
  const auto high = Bound(graph, index, 2, "max", kMost);
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return Activation{node.type, *low, *high};
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
  Attributes& attributes = graph.node(conv).attributes;
  attributes.Set("activation", activation->name);
  attributes.Set("activation_alpha", activation->alpha);
  attributes.Set("activation_beta", activation->beta);
  const ValueId output = graph.node(index).outputs[0];
  graph.Remove(index);
  graph.SetOutput(conv, sum, output);
  TRY(graph.SetOperator(conv, "slipway", "Conv", 1));
  return true;
}

Result<int> Run(Rewriter& graph) {
  int fused = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (!graph.removed(i) && TRY(Fuse(graph, i))) ++fused;
  }
  return fused;
}

}  // namespace

Pass passes_fuse_conv_activation() {
  return {.stage = 110,
          .summary = "applies activations in the Conv before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
