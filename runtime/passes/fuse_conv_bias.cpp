// SPDX-License-Identifier: Apache-2.0
// Conv, then Add of a constant per channel: the constant becomes part of the Conv's bias.
#include <optional>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kBias = 2;

/// The constant [1, C, 1, ...] or [C, 1, ...] as a bias [C]; nothing for another shape.
std::optional<Tensor> AsBias(const Tensor& tensor, const Tensor& weights) {
  const std::int64_t channels = weights.dim(0);
  const std::int64_t axis = tensor.rank() - weights.rank() + 1;
  if (tensor.dtype() != weights.dtype() || tensor.size() != channels) return std::nullopt;
  if (axis < 0 || axis > 1 || tensor.dim(axis) != channels) return std::nullopt;
  return tensor.Reshaped({channels});
}

template <class T>
Result<Tensor> Sum(const Tensor& a, const Tensor& b) {
  Tensor sum = TRY(Tensor::Make(a.dtype(), a.shape()));
  for (std::size_t i = 0; i < sum.data<T>().size(); ++i) {
    sum.data<T>()[i] = a.data<T>()[i] + b.data<T>()[i];
  }
  return sum;
}

Result<std::optional<Tensor>> NewBias(const Rewriter& graph, std::size_t conv, ValueId added) {
  const Tensor* constant = graph.Constant(added);
  const Tensor* weights = graph.Constant(graph.Input(conv, 1));
  if (constant == nullptr || weights == nullptr || weights->rank() < 3) {
    return std::optional<Tensor>();
  }
  auto bias = AsBias(*constant, *weights);
  const ValueId old_id = graph.Input(conv, kBias);
  if (!bias || old_id == kNoValue) return bias;
  const Tensor* old = graph.Constant(old_id);
  if (old == nullptr || old->dtype() != bias->dtype() || old->shape() != bias->shape()) {
    return std::optional<Tensor>();
  }
  if (bias->dtype() == DType::kFloat32) return std::optional(TRY(Sum<float>(*old, *bias)));
  if (bias->dtype() == DType::kFloat64) return std::optional(TRY(Sum<double>(*old, *bias)));
  return std::optional<Tensor>();
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
  int fused = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || !node.domain.empty() || node.type != "Add" || node.opset < 7) continue;
    if (TRY(Fuse(graph, i, 0)) || TRY(Fuse(graph, i, 1))) ++fused;
  }
  return fused;
}

}  // namespace

Pass passes_fuse_conv_bias() {
  return {.stage = 40, .summary = "adds constants per channel in the Conv before", .run = Run};
}

}  // namespace slipway::runtime
