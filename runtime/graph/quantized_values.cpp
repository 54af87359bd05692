// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/quantized_values.h"

#include <cmath>

#include "runtime/graph/constant_nodes.h"

namespace slipway::runtime {
namespace {

bool IsByte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

}  // namespace

bool IsLinear(const NodeData& node, std::string_view type) {
  const bool known = node.domain.empty() || node.domain == "com.microsoft";
  return known && node.type == type && node.attributes.Int("block_size", 0) == 0 &&
         node.attributes.Int("output_dtype", 0) == 0;
}

std::optional<Quantized> ParametersOf(const Rewriter& graph, std::size_t index) {
  const Quantized found{.bytes = graph.Input(index, 0),
                        .scale = graph.Input(index, 1),
                        .zero = graph.Input(index, 2)};
  const Tensor* scale = graph.Constant(found.scale);
  if (scale == nullptr || scale->dtype() != DType::kFloat32) return std::nullopt;
  if (found.zero != kNoValue && graph.Constant(found.zero) == nullptr) return std::nullopt;
  return found;
}

std::optional<std::size_t> LinearBefore(const Rewriter& graph, ValueId id, std::string_view type) {
  for (;;) {
    const std::int64_t producer = id == kNoValue ? -1 : graph.Producer(id);
    if (producer < 0) return std::nullopt;
    const auto index = static_cast<std::size_t>(producer);
    const NodeData& node = graph.node(index);
    if (IsLinear(node, type)) return index;
    if (!node.domain.empty() || node.type != "Identity") return std::nullopt;
    id = graph.Input(index, 0);
  }
}

float ScaleOf(const Rewriter& graph, const Quantized& x) {
  return graph.Constant(x.scale)->data<float>()[0];
}

std::int32_t ZeroOf(const Rewriter& graph, const Quantized& x) {
  const Tensor& zero = *graph.Constant(x.zero);
  return zero.dtype() == DType::kInt8 ? zero.data<std::int8_t>()[0] : zero.data<std::uint8_t>()[0];
}

bool IsForAll(const Rewriter& graph, const Quantized& x) {
  const Tensor* zero = x.zero == kNoValue ? nullptr : graph.Constant(x.zero);
  const Tensor& scale = *graph.Constant(x.scale);
  return zero != nullptr && IsByte(zero->dtype()) && zero->size() == 1 && scale.size() == 1 &&
         std::isnormal(scale.data<float>()[0]) && scale.data<float>()[0] > 0;
}

std::optional<Quantized> BytesOf(const Rewriter& graph, ValueId id) {
  const auto node = LinearBefore(graph, id, "DequantizeLinear");
  if (!node) return std::nullopt;
  const auto found = ParametersOf(graph, *node);
  return found && IsForAll(graph, *found) ? found : std::nullopt;
}

DType TypeOf(const Rewriter& graph, const Quantized& x) { return graph.Constant(x.zero)->dtype(); }

bool MayUseBytes(Rewriter& graph) {
  const KernelChoice& choice = graph.choice();
  if (choice.strict || choice.reference || choice.device != Device::kCpu) return false;
  const auto dequantizes = [](const NodeData& node) { return IsLinear(node, "DequantizeLinear"); };
  bool quantizes = false;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    quantizes |= IsLinear(graph.node(i), "QuantizeLinear");
  }
  if (quantizes) FoldConstantNodes(graph, dequantizes);
  return quantizes;
}

}  // namespace slipway::runtime
