// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/constant_nodes.h"

#include <algorithm>

namespace slipway::runtime {
namespace {

bool MayFold(const Rewriter& graph, const NodeData& node) {
  if (!node.op->deterministic || !SubgraphsOf(node).empty() || node.outputs.empty()) return false;
  return std::ranges::all_of(
      node.inputs, [&](ValueId id) { return id == kNoValue || graph.Constant(id) != nullptr; });
}

bool AllTensors(const NodeData& node, const std::vector<Value>& outputs) {
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue && outputs[i].tensor() == nullptr) return false;
  }
  return true;
}

}  // namespace

int FoldConstantNodes(Rewriter& graph, bool (*stays)(const NodeData&)) {
  int folded = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || (stays != nullptr && stays(node)) || !MayFold(graph, node)) continue;
    auto outputs = graph.Evaluate(i);
    // What cannot be computed is an error only where the node is reached.
    if (!outputs || !AllTensors(node, *outputs)) continue;
    const std::vector<ValueId> ids = node.outputs;
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (ids[k] != kNoValue) graph.MakeConstant(ids[k], std::move(*(*outputs)[k].tensor()));
    }
    graph.Remove(i);
    ++folded;
  }
  return folded;
}

}  // namespace slipway::runtime
