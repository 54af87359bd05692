// SPDX-License-Identifier: Apache-2.0
// Conv, then BatchNormalization outside of training, becomes one Conv:
//   scale * (conv(x, w) + b - mean) / sqrt(var + epsilon) + bias
//   = conv(x, w * f) + (b - mean) * f + bias   with f = scale / sqrt(var + epsilon)
#include <cmath>

#include "runtime/graph/inference.h"
#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

template <class T>
struct Normalisation {
  std::span<const T> scale, bias, mean, variance;
  double epsilon;
  double Factor(std::size_t c) const {
    return static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon);
  }
};

/// What of a Conv and a BatchNormalization after it is folded into new weights.
struct Pattern {
  std::size_t conv = 0, norm = 0;
  const Tensor* weights = nullptr;
  const Tensor* bias = nullptr;  ///< null: zeros
  const Tensor* parameters[4] = {};
};

bool FindPattern(const Rewriter& graph, std::size_t norm, const NodeData& node, Pattern& found) {
  if (!IsInferenceNormalization(node)) return false;
  const std::int64_t conv = graph.Producer(node.inputs[0]);
  if (conv < 0 || graph.OnlyUser(node.inputs[0]) != static_cast<std::int64_t>(norm)) return false;
  found.conv = static_cast<std::size_t>(conv);
  found.norm = norm;
  found.weights = graph.Constant(graph.Input(found.conv, 1));
  if (found.weights == nullptr || found.weights->rank() < 3) return false;
  const DType dtype = found.weights->dtype();
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) return false;
  const Shape channels = {found.weights->dim(0)};
  const ValueId bias = graph.Input(found.conv, 2);
  found.bias = graph.Constant(bias);
  if (bias != kNoValue && (found.bias == nullptr || found.bias->shape() != channels)) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    const Tensor* tensor = graph.Constant(graph.Input(norm, i + 1));
    if (tensor == nullptr || tensor->shape() != channels || tensor->dtype() != dtype) return false;
    found.parameters[i] = tensor;
  }
  return true;
}

template <class T>
Result<void> Fold(Rewriter& graph, const Pattern& found) {
  const NodeData& node = graph.node(found.norm);
  const Normalisation<T> norm{found.parameters[0]->data<T>(), found.parameters[1]->data<T>(),
                              found.parameters[2]->data<T>(), found.parameters[3]->data<T>(),
                              static_cast<double>(node.attributes.Float("epsilon", 1e-5F))};
  Tensor weights = TRY(Tensor::Make(found.weights->dtype(), found.weights->shape()));
  const std::int64_t channels = weights.dim(0);
  Tensor bias = TRY(Tensor::Make(weights.dtype(), {channels}));
  const auto from = found.weights->data<T>();
  const auto to = weights.data<T>();
  const auto each = channels == 0 ? 0 : from.size() / static_cast<std::size_t>(channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const double factor = norm.Factor(c);
    for (std::size_t k = c * each; k < (c + 1) * each; ++k) {
      to[k] = static_cast<T>(static_cast<double>(from[k]) * factor);
    }
    const double before = found.bias ? static_cast<double>(found.bias->data<T>()[c]) : 0.0;
    bias.data<T>()[c] = static_cast<T>((before - static_cast<double>(norm.mean[c])) * factor +
                                       static_cast<double>(norm.bias[c]));
  }
  const ValueId output = node.outputs[0];
  const std::string name = graph.node(found.conv).name;
  graph.SetInput(found.conv, 1, graph.AddConstant(name + "/folded_weights", std::move(weights)));
  graph.SetInput(found.conv, 2, graph.AddConstant(name + "/folded_bias", std::move(bias)));
  graph.Remove(found.norm);
  graph.SetOutput(found.conv, graph.node(found.conv).outputs[0], output);
  return {};
}

Result<int> Run(Rewriter& graph) {
  int fused = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    Pattern found;
    if (graph.removed(i) || !FindPattern(graph, i, graph.node(i), found)) continue;
    const NodeData& conv = graph.node(found.conv);
    if (!conv.domain.empty() || conv.type != "Conv") continue;
    if (found.weights->dtype() == DType::kFloat32) {
      TRY(Fold<float>(graph, found));
    } else {
      TRY(Fold<double>(graph, found));
    }
    ++fused;
  }
  return fused;
}

}  // namespace

Pass passes_fuse_conv_batchnorm() {
  return {.stage = 30, .summary = "folds BatchNormalization into the Conv before it", .run = Run};
}

}  // namespace slipway::runtime
