// SPDX-License-Identifier: Apache-2.0
// Conv in groups, then Reshape, Transpose and Reshape that deal the channels of the groups out in
// turns (ShuffleNet): the Conv writes each channel where it goes.
#include "runtime/graph/planned_facts.h"
#include "runtime/kernels/conv.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// The node that alone uses the output of `node`, if it is a `type` of the standard; else -1.
std::int64_t NextOf(const Rewriter& graph, std::size_t node, std::string_view type) {
  const std::int64_t next = graph.OnlyUser(graph.node(node).outputs[0]);
  if (next < 0) return -1;
  const NodeData& data = graph.node(static_cast<std::size_t>(next));
  const bool first = !data.inputs.empty() && data.inputs[0] == graph.node(node).outputs[0];
  return first && data.domain.empty() && data.type == type ? next : -1;
}

const Shape* ShapeOf(const Rewriter& graph, ValueId id) {
  const ValueFacts* facts = graph.Facts(id);
  return facts == nullptr || !facts->shape ? nullptr : &*facts->shape;
}

/// Whether the output of node `conv` is dealt out in turns from so many groups by the time that
/// node `last` has made it.
bool IsShuffled(const Rewriter& graph, std::size_t conv, std::size_t transpose, std::size_t last,
                std::int64_t groups) {
  const Shape* image = ShapeOf(graph, graph.node(conv).outputs[0]);
  const Shape* parted = ShapeOf(graph, graph.node(transpose).inputs[0]);
  const Shape* whole = ShapeOf(graph, graph.node(last).outputs[0]);
  if (image == nullptr || parted == nullptr || whole == nullptr || *whole != *image) return false;
  if (image->size() != 4) return false;
  const Shape wanted = {(*image)[0], groups, (*image)[1] / groups, (*image)[2], (*image)[3]};
  const std::vector<std::int64_t> order = {0, 2, 1, 3, 4};
  return *parted == wanted && graph.node(transpose).attributes.Ints("perm", {}) == order;
}

Result<bool> Fuse(Rewriter& graph, std::size_t conv) {
  const NodeData& node = graph.node(conv);
  if (node.type != "Conv" || (!node.domain.empty() && node.domain != "slipway")) return false;
  const std::int64_t groups = node.attributes.Int("group", 1);
  if (groups < 2 || graph.Input(conv, 3) != kNoValue || node.attributes.Int("shuffle", 1) != 1) {
    return false;
  }
  const std::int64_t parts = NextOf(graph, conv, "Reshape");
  if (parts < 0) return false;
  const std::int64_t turns = NextOf(graph, static_cast<std::size_t>(parts), "Transpose");
  if (turns < 0) return false;
  const auto transpose = static_cast<std::size_t>(turns);
  const std::int64_t joins = NextOf(graph, transpose, "Reshape");
  if (joins < 0) return false;
  const auto last = static_cast<std::size_t>(joins);
  const auto facts = FactsOfNode(graph, node);
  if (!facts || !DeclineConvGrouped(*facts).empty()) return false;
  if (!IsShuffled(graph, conv, transpose, last, groups)) return false;
  const ValueId before = node.outputs[0], now = graph.node(last).outputs[0];
  graph.Remove(static_cast<std::size_t>(parts));
  graph.Remove(transpose);
  graph.Remove(last);
  graph.SetOutput(conv, before, now);
  graph.node(conv).attributes.Set("shuffle", groups);
  TRY(graph.SetOperator(conv, "slipway", "Conv", 1));
  return true;
}

Result<int> Run(Rewriter& graph) {
  const KernelChoice& choice = graph.choice();
  if (choice.reference || choice.device != Device::kCpu) return 0;
  return ChangeEach(graph, [&](std::size_t i) { return Fuse(graph, i); });
}

}  // namespace

Pass passes_fuse_channel_shuffle() {
  return {.stage = 195,
          .summary = "shuffles channels in the Conv before",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
