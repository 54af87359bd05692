// SPDX-License-Identifier: Apache-2.0
// Conv, then Mul by a constant per channel: the constant becomes part of weights and bias.
#include "runtime/graph/per_channel.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// w[m, ...] * scale[m]
template <class T>
Result<Tensor> ScaledRows(const Tensor& weights, const Tensor& scale) {
  Tensor scaled = TRY(Tensor::Make(weights.dtype(), weights.shape()));
  const auto factors = scale.data<T>();
  const auto from = weights.data<T>();
  const auto to = scaled.data<T>();
  const std::size_t each = factors.empty() ? 0 : from.size() / factors.size();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] * factors[i / each];
  return scaled;
}

Result<bool> Fuse(Rewriter& graph, std::size_t mul, std::size_t side) {
  const ValueId product = graph.Input(mul, side);
  const Tensor* constant = graph.Constant(graph.Input(mul, 1 - side));
  const std::int64_t producer = graph.Producer(product);
  if (constant == nullptr || producer < 0 ||
      graph.OnlyUser(product) != static_cast<std::int64_t>(mul)) {
    return false;
  }
  const auto conv = static_cast<std::size_t>(producer);
  const NodeData& node = graph.node(conv);
  const Tensor* weights = graph.Constant(graph.Input(conv, 1));
  const ValueId bias_id = graph.Input(conv, 2);
  const Tensor* bias = graph.Constant(bias_id);
  if (!node.domain.empty() || node.type != "Conv" || weights == nullptr || weights->rank() < 3 ||
      weights->dtype() != constant->dtype()) {
    return false;
  }
  const std::int64_t channels = weights->dim(0);
  const auto scale = TRY(PerChannel(*constant, weights->rank(), channels));
  if (!scale || (bias_id != kNoValue && (bias == nullptr || bias->dtype() != scale->dtype() ||
                                         bias->shape() != scale->shape()))) {
    return false;
  }
  const bool is_float = weights->dtype() == DType::kFloat32;
  Tensor scaled =
      TRY(is_float ? ScaledRows<float>(*weights, *scale) : ScaledRows<double>(*weights, *scale));
  const std::string name = node.name;
  const ValueId output = graph.node(mul).outputs[0];
  if (bias != nullptr) {
    Tensor product_of_bias = TRY(ProductOf(*bias, *scale));
    graph.SetInput(conv, 2, graph.AddConstant(name + "/scaled_bias", std::move(product_of_bias)));
  }
  graph.SetInput(conv, 1, graph.AddConstant(name + "/scaled_weights", std::move(scaled)));
  graph.Remove(mul);
  graph.SetOutput(conv, product, output);
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    if (node.type != "Mul" || !LinesUpFromTheRight(node)) return false;
    return TRY(Fuse(graph, i, 0)) || TRY(Fuse(graph, i, 1));
  });
}

}  // namespace

Pass passes_fuse_conv_scale() {
  return {.stage = 35, .summary = "multiplies constants into the Conv before", .run = Run};
}

}  // namespace slipway::runtime
