// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/graph/rewriter.h"

/// What passes see of tensors that are quantised with constant scales and zero points.
namespace slipway::runtime {

/// QuantizeLinear or DequantizeLinear as the standard has them since opset 10, without blocks.
bool IsLinear(const NodeData& node, std::string_view type);

/// A tensor of bytes, and what they stand for: its numbers are (byte - zero) * scale.
struct Quantized {
  ValueId bytes = kNoValue, scale = kNoValue, zero = kNoValue;
};

/// The inputs of a QuantizeLinear or DequantizeLinear with constant parameters; zero may be absent.
std::optional<Quantized> ParametersOf(const Rewriter& graph, std::size_t index);

/// The node that gives `id`, by way of Identity too, if it is such a one.
std::optional<std::size_t> LinearBefore(const Rewriter& graph, ValueId id, std::string_view type);

/// Of one that IsForAll.
float ScaleOf(const Rewriter& graph, const Quantized& x);
std::int32_t ZeroOf(const Rewriter& graph, const Quantized& x);
DType TypeOf(const Rewriter& graph, const Quantized& x);

/// Whether one scale, above zero, and one zero point of a byte are for all elements.
bool IsForAll(const Rewriter& graph, const Quantized& x);

/// What `id` is dequantised from, by one scale and zero point for all elements.
std::optional<Quantized> BytesOf(const Rewriter& graph, ValueId id);

/// Whether a pass may compute with the bytes themselves: not where accuracy is to be strict, of
/// reference kernels or on another device, nor where nothing is quantised. Constants are computed
/// as far as to what is dequantised.
bool MayUseBytes(Rewriter& graph);

}  // namespace slipway::runtime
