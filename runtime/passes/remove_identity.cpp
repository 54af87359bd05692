// SPDX-License-Identifier: Apache-2.0
// Identity, Dropout outside of training, and transposes that change nothing go away.
#include <algorithm>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool IsFalse(const Tensor* tensor) {
  return tensor != nullptr && tensor->dtype() == DType::kBool && tensor->size() == 1 &&
         tensor->data<std::uint8_t>()[0] == 0;
}

bool KeepsAll(const Rewriter& graph, std::size_t index, const NodeData& node) {
  const ValueId mode = graph.Input(index, 2);
  if (mode != kNoValue && !IsFalse(graph.Constant(mode))) return false;
  const bool wants_mask =
      node.outputs.size() > 1 && node.outputs[1] != kNoValue && graph.Uses(node.outputs[1]) > 0;
  const bool may_train = node.opset < 7 && node.attributes.Int("is_test", 0) == 0;
  return !wants_mask && !may_train;
}

bool IsPlainOrder(const NodeData& node) {
  if (!node.attributes.Has("perm")) return false;
  const auto perm = node.attributes.Ints("perm", {});
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

bool DoesNothing(const Rewriter& graph, std::size_t index, const NodeData& node) {
  if (!node.domain.empty() || node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  if (node.type == "Identity") return true;
  if (node.type == "Dropout") return KeepsAll(graph, index, node);
  return node.type == "Transpose" && IsPlainOrder(node);
}

/// Whether the node before can be made to call its output what this node's output is called.
bool CanRenameInput(const Rewriter& graph, std::size_t index, ValueId input) {
  return graph.OnlyUser(input) == static_cast<std::int64_t>(index) && graph.Producer(input) >= 0;
}

void RenameInput(Rewriter& graph, ValueId input, ValueId output) {
  const auto producer = static_cast<std::size_t>(graph.Producer(input));
  graph.SetOutput(producer, input, output);
}

Result<int> Run(Rewriter& graph) {
  int removed = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || !DoesNothing(graph, i, node)) continue;
    const ValueId input = node.inputs[0];
    const ValueId output = node.outputs[0];
    if (output == kNoValue) continue;
    if (graph.ReplaceUses(output, input)) {
      graph.Remove(i);
    } else if (CanRenameInput(graph, i, input)) {
      graph.Remove(i);
      RenameInput(graph, input, output);
    } else {
      continue;
    }
    ++removed;
  }
  return removed;
}

}  // namespace

Pass passes_remove_identity() {
  return {.stage = 20, .summary = "removes nodes that change nothing", .run = Run};
}

}  // namespace slipway::runtime
