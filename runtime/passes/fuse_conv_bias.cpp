// SPDX-License-Identifier: Apache-2.0
// Conv, then Add of a constant per channel: the constant becomes part of the Conv's bias.
#include <optional>

#include "runtime/graph/per_channel.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kBias = 2;

Result<std::optional<Tensor>> NewBias(const Rewriter& graph, std::size_t conv, ValueId added) {
  const Tensor* constant = graph.Constant(added);
  const Tensor* weights = graph.Constant(graph.Input(conv, 1));
  if (constant == nullptr || weights == nullptr || weights->rank() < 3) {
    return std::optional<Tensor>();
  }
  if (constant->dtype() != weights->dtype()) return std::optional<Tensor>();
  auto bias = TRY(PerChannel(*constant, weights->rank(), weights->dim(0)));
  const ValueId old_id = graph.Input(conv, kBias);
  if (!bias || old_id == kNoValue) return bias;
  const Tensor* old = graph.Constant(old_id);
  if (old == nullptr || old->dtype() != bias->dtype() || old->shape() != bias->shape()) {
    return std::optional<Tensor>();
  }
  return std::optional(TRY(SumOf(*old, *bias)));
}

Result<bool> Fuse(Rewriter& graph, std::size_t add, std::size_t side) {
  const ValueId sum = graph.Input(add, side);
  const std::int64_t producer = graph.Producer(sum);
  if (producer < 0 || graph.OnlyUser(sum) != static_cast<std::int64_t>(add)) return false;
  const auto conv = static_cast<std::size_t>(producer);
  const NodeData& node = graph.node(conv);
  if (!node.domain.empty() || node.type != "Conv") return false;
  auto bias = TRY(NewBias(graph, conv, graph.Input(add, 1 - side)));
  if (!bias) return false;
  const ValueId output = graph.node(add).outputs[0];
  graph.SetInput(conv, kBias, graph.AddConstant(node.name + "/added_bias", *std::move(bias)));
  graph.Remove(add);
  graph.SetOutput(conv, sum, output);
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    if (node.type != "Add" || !LinesUpFromTheRight(node)) return false;
    return TRY(Fuse(graph, i, 0)) || TRY(Fuse(graph, i, 1));
  });
}

}  // namespace

Pass passes_fuse_conv_bias() {
  return {.stage = 40, .summary = "adds constants per channel in the Conv before", .run = Run};
}

}  // namespace slipway::runtime
