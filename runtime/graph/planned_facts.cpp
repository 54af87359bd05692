// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/planned_facts.h"

namespace slipway::runtime {

std::optional<NodeFacts> FactsOfNode(const Rewriter& graph, const NodeData& node) {
  std::vector<ValueFacts> inputs;
  for (ValueId id : node.inputs) {
    ValueFacts facts;
    if (const Tensor* constant = graph.Constant(id)) {
      facts = TensorFacts(constant->dtype(), constant->shape());
      facts.constant = constant;
    } else if (const ValueFacts* known = graph.Facts(id)) {
      facts = *known;
    }
    if (id != kNoValue && !facts.shape) return std::nullopt;
    inputs.push_back(std::move(facts));
  }
  NodeFacts all = MakeFacts(node, std::move(inputs));
  for (ValueId id : node.outputs) {
    all.outputs.push_back(graph.Facts(id) == nullptr ? ValueFacts{} : *graph.Facts(id));
  }
  return all;
}

}  // namespace slipway::runtime
