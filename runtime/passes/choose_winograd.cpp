// SPDX-License-Identifier: Apache-2.0
// Convolutions of 3x3 and 5x5 that Winograd's way is quicker for are computed so, unless the
// session asks for strict accuracy. The choice follows from shapes: it is the same at every run.
// Where kernels are measured, it may be taken for others too.
#include "runtime/graph/planned_facts.h"
#include "runtime/kernels/conv.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool IsOpen(const NodeData& node) {
  if (node.type != "Conv") return false;
  if (node.domain.empty()) return true;
  return node.domain == "slipway" && node.attributes.String("algorithm", "").empty() &&
         node.attributes.String("precision", "").empty();
}

Result<int> Run(Rewriter& graph) {
  const KernelChoice& choice = graph.choice();
  if (choice.strict || choice.reference || choice.device != Device::kCpu) return 0;
  int chosen = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || !IsOpen(node) || graph.Constant(node.inputs[1]) == nullptr) continue;
    const auto facts = FactsOfNode(graph, node);
    if (!facts) continue;
    const bool gains = GainsByWinograd(*facts);
    if (!gains && (choice.tuner == nullptr || !HasWinograd(*facts))) continue;
    graph.node(i).attributes.Set("algorithm", std::string(gains ? "winograd" : "any"));
    TRY(graph.SetOperator(i, "slipway", "Conv", 1));
    ++chosen;
  }
  return chosen;
}

}  // namespace

Pass passes_choose_winograd() {
  return {.stage = 190,
          .summary = "computes convolutions of 3x3 and 5x5 by Winograd's way",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
