// SPDX-License-Identifier: Apache-2.0
// x / 2 * (1 + erf(x / sqrt(2))), as exporters spell it in five nodes, becomes Gelu.
#include <cmath>
#include <numbers>
#include <optional>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr double kError = 1e-6;

bool Is(const NodeData& node, std::string_view type) {
  return node.domain.empty() && node.type == type && node.opset >= 7;
}

/// A single float32 as a constant that leaves the shape of `image` as it is.
std::optional<double> Number(const Rewriter& graph, ValueId id, ValueId image) {
  const Tensor* constant = graph.Constant(id);
  const ValueFacts* facts = graph.Facts(image);
  if (constant == nullptr || facts == nullptr || !facts->shape ||
      constant->dtype() != DType::kFloat32 || constant->size() != 1 ||
      constant->rank() > static_cast<std::int64_t>(facts->shape->size())) {
    return std::nullopt;
  }
  return static_cast<double>(constant->data<float>()[0]);
}

bool IsNear(std::optional<double> number, double wanted) {
  return number && std::abs(*number - wanted) < kError;
}

/// The other input of a node of two, if one is `id`; else kNoValue.
ValueId OtherInput(const NodeData& node, ValueId id) {
  if (node.inputs.size() != 2) return kNoValue;
  if (node.inputs[0] == id) return node.inputs[1];
  return node.inputs[1] == id ? node.inputs[0] : kNoValue;
}

/// The other input of the one node that uses `id`, of that type; `user` is the node.
ValueId Beside(const Rewriter& graph, ValueId id, std::string_view type, std::size_t& user) {
  const std::int64_t only = graph.OnlyUser(id);
  if (only < 0) return kNoValue;
  user = static_cast<std::size_t>(only);
  return Is(graph.node(user), type) ? OtherInput(graph.node(user), id) : kNoValue;
}

/// x, of a node that gives x / sqrt(2).
ValueId Scaled(const Rewriter& graph, ValueId id) {
  const std::int64_t producer = graph.Producer(id);
  if (producer < 0) return kNoValue;
  const NodeData& node = graph.node(static_cast<std::size_t>(producer));
  if (node.inputs.size() != 2) return kNoValue;
  const auto [a, b] = std::pair(node.inputs[0], node.inputs[1]);
  const double root = std::numbers::sqrt2;
  if (Is(node, "Div") && IsNear(Number(graph, b, a), root)) return a;
  if (!Is(node, "Mul")) return kNoValue;
  if (IsNear(Number(graph, b, a), 1 / root)) return a;
  return IsNear(Number(graph, a, b), 1 / root) ? b : kNoValue;
}

/// Whether `id` is x / 2.
bool IsHalf(const Rewriter& graph, ValueId id, ValueId x) {
  const std::int64_t producer = graph.Producer(id);
  if (producer < 0) return false;
  const NodeData& node = graph.node(static_cast<std::size_t>(producer));
  return Is(node, "Mul") && IsNear(Number(graph, OtherInput(node, x), x), 0.5);
}

/// The node that ends the pattern which `erf` is in.
std::optional<std::size_t> EndOf(const Rewriter& graph, std::size_t erf, ValueId x) {
  std::size_t sum = 0, product = 0, last = 0;
  const ValueId value = graph.node(erf).outputs[0];
  if (!IsNear(Number(graph, Beside(graph, value, "Add", sum), x), 1)) return std::nullopt;
  const ValueId other = Beside(graph, graph.node(sum).outputs[0], "Mul", product);
  if (other == kNoValue) return std::nullopt;
  if (IsHalf(graph, other, x)) return product;
  const ValueId outer = Beside(graph, graph.node(product).outputs[0], "Mul", last);
  if (outer == kNoValue) return std::nullopt;
  const bool half_last = other == x && IsNear(Number(graph, outer, x), 0.5);
  const bool half_first = outer == x && IsNear(Number(graph, other, x), 0.5);
  return half_last || half_first ? std::optional(last) : std::nullopt;
}

Result<bool> Fuse(Rewriter& graph, std::size_t erf) {
  const ValueId x = Scaled(graph, graph.Input(erf, 0));
  if (x == kNoValue) return false;
  const ValueFacts* facts = graph.Facts(x);
  if (facts == nullptr || facts->dtype != DType::kFloat32) return false;
  const auto end = EndOf(graph, erf, x);
  if (!end) return false;
  graph.SetInput(*end, 0, x);
  graph.SetInput(*end, 1, kNoValue);
  graph.node(*end).inputs.resize(1);
  graph.node(*end).attributes = {};
  TRY(graph.SetOperator(*end, "", "Gelu", 20));
  return true;
}

Result<int> Run(Rewriter& graph) {
  int fused = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || node.type != "Erf" || !node.domain.empty()) continue;
    if (TRY(Fuse(graph, i))) ++fused;
  }
  return fused;
}

}  // namespace

Pass passes_fuse_gelu() {
  return {.stage = 120,
          .summary = "makes Gelu of the nodes it is spelt in",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
