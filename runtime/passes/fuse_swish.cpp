// SPDX-License-Identifier: Apache-2.0
// x * sigmoid(alpha * x), as exporters spell it, becomes Swish.
#include <optional>
#include <utility>

#include "runtime/graph/pattern.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// How many times `x` the value `id` is.
std::optional<double> FactorOf(const Rewriter& graph, ValueId id, ValueId x) {
  if (id == x) return 1;
  const NodeData* product = MakerOf(graph, id, "Mul");
  return product == nullptr ? std::nullopt : NumberBeside(graph, OtherInput(*product, x), x);
}

Result<bool> Fuse(Rewriter& graph, std::size_t index) {
  if (!IsNode(graph.node(index), "Sigmoid")) return false;
  std::size_t product = 0;
  const ValueId x = UserWith(graph, graph.node(index).outputs[0], "Mul", product);
  if (x == kNoValue || FloatShape(graph, x) == nullptr) return false;
  const auto factor = FactorOf(graph, graph.Input(index, 0), x);
  if (!factor) return false;
  Attributes attributes;
  attributes.Set("alpha", static_cast<float>(*factor));
  TRY(BecomeFunction(graph, product, x, "Swish", 24, std::move(attributes)));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) { return Fuse(graph, i); });
}

}  // namespace

Pass passes_fuse_swish() {
  return {.stage = 103,
          .summary = "makes Swish of the nodes it is spelt in",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
