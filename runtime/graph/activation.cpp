// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/activation.h"

#include <algorithm>
#include <limits>

namespace slipway::runtime {
namespace {

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

}  // namespace

std::optional<Activation> ActivationOf(const Rewriter& graph, std::size_t index) {
  constexpr std::string_view kPlain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish"};
  constexpr float kMost = std::numeric_limits<float>::max();
  const NodeData& node = graph.node(index);
  const Attributes& attributes = node.attributes;
  if (!node.domain.empty() || node.inputs.empty()) return std::nullopt;
  if (std::ranges::find(kPlain, node.type) != std::end(kPlain))
    return Activation{.name = node.type};
  if (node.type == "LeakyRelu") return Activation{node.type, attributes.Float("alpha", 0.01F)};
  if (node.type == "Elu" || node.type == "Swish") {
    return Activation{node.type, attributes.Float("alpha", 1)};
  }
  if (node.type == "HardSigmoid") {
    return Activation{node.type, attributes.Float("alpha", 0.2F), attributes.Float("beta", 0.5F)};
  }
  if (node.type == "Gelu") {
    const bool tanh = attributes.String("approximate", "none") == "tanh";
    return Activation{.name = tanh ? "GeluTanh" : "Gelu"};
  }
  if (node.type != "Clip") return std::nullopt;
  const auto low = Bound(graph, index, 1, "min", -kMost);
  const auto high = Bound(graph, index, 2, "max", kMost);
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return Activation{node.type, *low, *high};
}

void SetActivation(Attributes& attributes, const Activation& activation) {
  attributes.Set("activation", activation.name);
  attributes.Set("activation_alpha", activation.alpha);
  attributes.Set("activation_beta", activation.beta);
}

}  // namespace slipway::runtime
