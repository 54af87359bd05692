// SPDX-License-Identifier: Apache-2.0
// x / 2 * (1 + erf(x / sqrt(2))) and x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), as
// exporters spell them, become Gelu.
#include <numbers>
#include <optional>
#include <utility>

#include "runtime/graph/pattern.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// Whether `id` is x to the power of 3.
bool IsCube(const Rewriter& graph, ValueId id, ValueId x) {
  const NodeData* power = MakerOf(graph, id, "Pow");
  if (power != nullptr) {
    return power->inputs[0] == x && IsNear(NumberBeside(graph, power->inputs[1], x), 3);
  }
  const NodeData* product = MakerOf(graph, id, "Mul");
  if (product == nullptr) return false;
  const NodeData* square = MakerOf(graph, OtherInput(*product, x), "Mul");
  return square != nullptr && square->inputs[0] == x && square->inputs[1] == x;
}

/// The input of a node that is `factor` times the other one; kNoValue if none is.
ValueId Multiplied(const Rewriter& graph, const NodeData& product, double factor) {
  const auto [a, b] = std::pair(product.inputs[0], product.inputs[1]);
  if (IsNear(NumberBeside(graph, a, b), factor)) return b;
  return IsNear(NumberBeside(graph, b, a), factor) ? a : kNoValue;
}

/// x, of a node that gives x / sqrt(2).
ValueId Scaled(const Rewriter& graph, ValueId id) {
  if (const NodeData* product = MakerOf(graph, id, "Mul")) {
    return Multiplied(graph, *product, 1 / std::numbers::sqrt2);
  }
  const NodeData* quotient = MakerOf(graph, id, "Div");
  if (quotient == nullptr) return kNoValue;
  const auto [x, root] = std::pair(quotient->inputs[0], quotient->inputs[1]);
  return IsNear(NumberBeside(graph, root, x), std::numbers::sqrt2) ? x : kNoValue;
}

/// x, of a node that gives sqrt(2 / pi) * (x + 0.044715 * x^3).
ValueId Bent(const Rewriter& graph, ValueId id) {
  const NodeData* outer = MakerOf(graph, id, "Mul");
  if (outer == nullptr) return kNoValue;
  const double factor = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  const NodeData* sum = MakerOf(graph, Multiplied(graph, *outer, factor), "Add");
  if (sum == nullptr) return kNoValue;
  for (const std::size_t side : {0U, 1U}) {
    const NodeData* term = MakerOf(graph, sum->inputs[1 - side], "Mul");
    if (term == nullptr) continue;
    const ValueId x = sum->inputs[side];
    if (IsCube(graph, Multiplied(graph, *term, 0.044715), x)) return x;
  }
  return kNoValue;
}

/// Whether `id` is x / 2.
bool IsHalf(const Rewriter& graph, ValueId id, ValueId x) {
  const NodeData* product = MakerOf(graph, id, "Mul");
  return product != nullptr && IsNear(NumberBeside(graph, OtherInput(*product, x), x), 0.5);
}

/// The node that ends the pattern which `curve` is in.
std::optional<std::size_t> EndOf(const Rewriter& graph, std::size_t curve, ValueId x) {
  std::size_t sum = 0, product = 0, last = 0;
  const ValueId value = graph.node(curve).outputs[0];
  if (!IsNear(NumberBeside(graph, UserWith(graph, value, "Add", sum), x), 1)) return std::nullopt;
  const ValueId other = UserWith(graph, graph.node(sum).outputs[0], "Mul", product);
  if (other == kNoValue) return std::nullopt;
  if (IsHalf(graph, other, x)) return product;
  const ValueId outer = UserWith(graph, graph.node(product).outputs[0], "Mul", last);
  if (outer == kNoValue) return std::nullopt;
  const bool half_last = other == x && IsNear(NumberBeside(graph, outer, x), 0.5);
  const bool half_first = outer == x && IsNear(NumberBeside(graph, other, x), 0.5);
  return half_last || half_first ? std::optional(last) : std::nullopt;
}

Result<bool> Fuse(Rewriter& graph, std::size_t curve) {
  const bool tanh = graph.node(curve).type == "Tanh";
  const ValueId id = graph.Input(curve, 0);
  const ValueId x = tanh ? Bent(graph, id) : Scaled(graph, id);
  if (FloatShape(graph, x) == nullptr) return false;
  const auto end = EndOf(graph, curve, x);
  if (!end) return false;
  Attributes attributes;
  if (tanh) attributes.Set("approximate", "tanh");
  TRY(BecomeFunction(graph, *end, x, "Gelu", 20, std::move(attributes)));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    if (!node.domain.empty() || (node.type != "Erf" && node.type != "Tanh")) return false;
    return Fuse(graph, i);
  });
}

}  // namespace

Pass passes_fuse_gelu() {
  return {.stage = 120,
          .summary = "makes Gelu of the nodes it is spelt in",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
