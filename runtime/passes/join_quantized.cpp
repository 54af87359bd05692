// SPDX-License-Identifier: Apache-2.0
// A node between DequantizeLinear and QuantizeLinear, as quantisers write them, becomes the one
// that computes with the bytes themselves: QLinearConv, QLinearMatMul, QLinearAdd, QLinearMul, or
// the same node where it only moves elements. A Relu or Clip before QuantizeLinear goes where the
// range of the bytes is all that it lets through. Sums are exact then, so that what lies halfway
// between two bytes may become the other one; none of it where accuracy is to be strict.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "runtime/graph/quantized_values.h"
#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool IsStandard(const NodeData& node, std::string_view type) {
  return node.domain.empty() && node.type == type;
}

bool AreZeros(const Tensor& tensor) {
  const auto* const bytes = static_cast<const char*>(tensor.raw());
  return std::all_of(bytes, bytes + tensor.bytes(), [](char byte) { return byte == 0; });
}

/// Constant weights of signed bytes around zero, with a scale for all or for each index of `axis`.
std::optional<Quantized> WeightsOf(Rewriter& graph, ValueId id, std::int64_t axis) {
  const auto node = LinearBefore(graph, id, "DequantizeLinear");
  if (!node) return std::nullopt;
  auto found = ParametersOf(graph, *node);
  const Tensor* weights = found ? graph.Constant(found->bytes) : nullptr;
  const bool fits = weights != nullptr && weights->dtype() == DType::kInt8 && weights->size() > 0;
  if (!fits || axis >= static_cast<std::int64_t>(weights->shape().size())) return std::nullopt;
  if (found->zero != kNoValue && !AreZeros(*graph.Constant(found->zero))) return std::nullopt;
  const Tensor& scale = *graph.Constant(found->scale);
  const auto rank = static_cast<std::int64_t>(weights->shape().size());
  const std::int64_t given = graph.node(*node).attributes.Int("axis", 1);
  const bool along = scale.shape().size() == 1 && scale.size() == weights->dim(axis) &&
                     (given < 0 ? given + rank : given) == axis;
  const bool positive =
      std::ranges::all_of(scale.data<float>(), [](float s) { return std::isnormal(s) && s > 0; });
  if (!positive || (scale.size() != 1 && !along)) return std::nullopt;
  if (found->zero == kNoValue) {
    auto zero = Tensor::Make(DType::kInt8, scale.shape());
    if (!zero) return std::nullopt;
    std::ranges::fill(zero->data<std::int8_t>(), std::int8_t{0});
    found->zero = graph.AddConstant("zero", *std::move(zero));
  }
  return found;
}

/// The numbers that pass a Relu or Clip.
struct Range {
  float least = -std::numeric_limits<float>::infinity();
  float most = std::numeric_limits<float>::infinity();
};

std::optional<Range> RangeOf(Rewriter& graph, std::size_t index) {
  const NodeData& node = graph.node(index);
  if (IsStandard(node, "Relu")) return Range{.least = 0};
  if (!IsStandard(node, "Clip")) return std::nullopt;
  Range range;
  if (node.opset < 11) {
    return Range{node.attributes.Float("min", range.least),
                 node.attributes.Float("max", range.most)};
  }
  for (const std::size_t bound : {1U, 2U}) {
    const ValueId id = graph.Input(index, bound);
    if (id == kNoValue) continue;
    const Tensor* known = graph.Constant(id);
    if (known == nullptr || known->dtype() != DType::kFloat32 || known->size() != 1) {
      return std::nullopt;
    }
    (bound == 1 ? range.least : range.most) = known->data<float>()[0];
  }
  return range;
}

/// Whether bytes of `y` stand for nothing outside of `range`, but for what rounds to its ends.
bool Holds(const Rewriter& graph, const Quantized& y, const Range& range) {
  const bool has_sign = TypeOf(graph, y) == DType::kInt8;
  const int least = has_sign ? -128 : 0, most = has_sign ? 127 : 255;
  const double scale = static_cast<double>(ScaleOf(graph, y));
  const double half = 0.5 * scale;
  const std::int32_t zero = ZeroOf(graph, y);
  return (least - zero) * scale > static_cast<double>(range.least) - half &&
         (most - zero) * scale < static_cast<double>(range.most) + half;
}

/// The node whose output is quantised, past a Relu or Clip that the bytes make needless.
struct Found {
  std::size_t node = 0;
  std::vector<std::size_t> between = {};
  Quantized y = {};
};

std::optional<Found> FindBefore(Rewriter& graph, std::size_t quantize) {
  const auto y = ParametersOf(graph, quantize);
  if (!y || !IsForAll(graph, *y)) return std::nullopt;
  Found found{.y = *y};
  std::size_t user = quantize;
  for (;;) {
    const ValueId id = graph.Input(user, 0);
    const std::int64_t producer = graph.Producer(id);
    if (producer < 0 || graph.OnlyUser(id) != static_cast<std::int64_t>(user)) return std::nullopt;
    found.node = static_cast<std::size_t>(producer);
    if (graph.node(found.node).outputs.size() != 1) return std::nullopt;
    const auto range = RangeOf(graph, found.node);
    if (!range) return found;
    if (!Holds(graph, *y, *range)) return std::nullopt;
    found.between.push_back(found.node);
    user = found.node;
  }
}

/// A bias of 32 bits for sums of bytes; kNoValue where it cannot be one. Rounding it moves what
/// comes out by a thousandth of a step at most.
ValueId BiasOf(Rewriter& graph, ValueId id, const Quantized& x, const Quantized& w, float y_scale) {
  const auto dequantize = LinearBefore(graph, id, "DequantizeLinear");
  const Tensor* bias = nullptr;
  std::optional<Quantized> from;
  if (dequantize) {
    from = ParametersOf(graph, *dequantize);
    bias = from ? graph.Constant(from->bytes) : nullptr;
    const bool around_zero =
        from && (from->zero == kNoValue || AreZeros(*graph.Constant(from->zero)));
    if (bias == nullptr || bias->dtype() != DType::kInt32 || !around_zero) return kNoValue;
  } else {
    bias = graph.Constant(id);
    if (bias == nullptr || bias->dtype() != DType::kFloat32) return kNoValue;
  }
  const auto scales = graph.Constant(w.scale)->data<float>();
  const auto given = from ? graph.Constant(from->scale)->data<float>() : scales;
  const auto fit = [&](std::size_t count) {
    return count == 1 || count == static_cast<std::size_t>(bias->size());
  };
  if (bias->shape().size() != 1 || !fit(scales.size()) || !fit(given.size())) return kNoValue;
  const auto x_scale = static_cast<double>(ScaleOf(graph, x));
  auto sums = Tensor::Make(DType::kInt32, bias->shape());
  if (!sums) return kNoValue;
  for (std::size_t i = 0; i < static_cast<std::size_t>(bias->size()); ++i) {
    const double step = x_scale * static_cast<double>(scales[scales.size() == 1 ? 0 : i]);
    double number = 0;
    if (from) {
      number =
          bias->data<std::int32_t>()[i] * static_cast<double>(given[given.size() == 1 ? 0 : i]);
    } else {
      number = static_cast<double>(bias->data<float>()[i]);
    }
    const double sum = std::nearbyint(number / step);
    const bool fits = std::abs(sum) < 0x1p30 &&
                      std::abs(sum * step - number) <= 1e-3 * static_cast<double>(y_scale);
    if (!fits) return kNoValue;
    sums->data<std::int32_t>()[i] = static_cast<std::int32_t>(sum);
  }
  return graph.AddConstant("bias", *std::move(sums));
}

/// Whether each channel is by itself, under a window that there are sums of bytes for.
bool IsDepthwise(const NodeData& node, const Shape& w) {
  const Shape ones(2, 1), strides = node.attributes.Ints("strides", ones);
  return node.attributes.Int("group", 1) == w[0] && w[1] == 1 && w[2] == w[3] &&
         (w[2] == 3 || w[2] == 5 || w[2] == 7) && (strides == ones || strides == Shape{2, 2}) &&
         node.attributes.Ints("dilations", ones) == ones;
}

/// Whether sums of bytes are quicker than those of float32: where the processor adds four products
/// at once they are, of all channels of a group or of each by itself; else by how many weights
/// there are, and those of 3x3 and 5x5 that Winograd's way serves want more.
bool IsQuickerConv(const NodeData& node, const Tensor& w) {
  constexpr std::int64_t kLeastOut = 32, kLeastTerms = 64, kLeastOfWinograd = 1 << 14;
  const Shape& shape = w.shape();
  if (shape.size() != 4) return false;
  const std::int64_t group = node.attributes.Int("group", 1);
  if (HasByteDot()) return group == 1 || IsDepthwise(node, shape);
  if (group != 1 || shape[0] < kLeastOut || w.size() / shape[0] < kLeastTerms) return false;
  const Shape ones(2, 1);
  const bool in_tiles = shape[2] == shape[3] && (shape[2] == 3 || shape[2] == 5) &&
                        node.attributes.Ints("strides", ones) == ones &&
                        node.attributes.Ints("dilations", ones) == ones;
  return !in_tiles || shape[0] * shape[1] >= kLeastOfWinograd;
}

bool IsQuickerMatMul(const Tensor& b) {
  constexpr std::int64_t kLeastWeights = 1 << 14;
  return b.shape().size() == 2 && b.size() >= kLeastWeights;
}

using Inputs = std::vector<ValueId>;

/// The node computes on `inputs` and gives what `quantize` gave.
Result<void> Become(Rewriter& graph, const Found& found, std::size_t quantize, const Inputs& inputs,
                    std::string domain, std::string type, int opset) {
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.SetInput(found.node, i, inputs[i]);
  const ValueId before = graph.node(found.node).outputs[0];
  const ValueId output = graph.node(quantize).outputs[0];
  for (const std::size_t between : found.between) graph.Remove(between);
  graph.Remove(quantize);
  graph.SetOutput(found.node, before, output);
  return graph.SetOperator(found.node, std::move(domain), std::move(type), opset);
}

Result<bool> JoinConv(Rewriter& graph, const Found& found, std::size_t quantize) {
  const auto x = BytesOf(graph, graph.Input(found.node, 0));
  const auto w = x ? WeightsOf(graph, graph.Input(found.node, 1), 0) : std::nullopt;
  if (!w || !IsQuickerConv(graph.node(found.node), *graph.Constant(w->bytes))) return false;
  Inputs inputs = {x->bytes, x->scale, x->zero,       w->bytes,
                   w->scale, w->zero,  found.y.scale, found.y.zero};
  if (const ValueId given = graph.Input(found.node, 2); given != kNoValue) {
    const ValueId bias = BiasOf(graph, given, *x, *w, ScaleOf(graph, found.y));
    if (bias == kNoValue) return false;
    inputs.push_back(bias);
  }
  TRY(Become(graph, found, quantize, inputs, "", "QLinearConv", 10));
  return true;
}

Result<bool> JoinMatMul(Rewriter& graph, const Found& found, std::size_t quantize) {
  const auto a = BytesOf(graph, graph.Input(found.node, 0));
  const ValueId weights = graph.Input(found.node, 1);
  const auto b = a ? WeightsOf(graph, weights, 1) : std::nullopt;
  if (!b || !IsQuickerMatMul(*graph.Constant(b->bytes))) return false;
  TRY(Become(
      graph, found, quantize,
      {a->bytes, a->scale, a->zero, b->bytes, b->scale, b->zero, found.y.scale, found.y.zero}, "",
      "QLinearMatMul", 10));
  return true;
}

/// The elements of a constant matrix of bytes, transposed.
Result<Tensor> Transposed(const Tensor& from) {
  const std::int64_t rows = from.dim(0), columns = from.dim(1);
  Tensor made = TRY(Tensor::Make(from.dtype(), {columns, rows}));
  const auto* const x = static_cast<const std::uint8_t*>(from.raw());
  auto* const y = static_cast<std::uint8_t*>(made.raw());
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) y[j * rows + i] = x[i * columns + j];
  }
  return made;
}

/// A product of matrices and a row that is added.
Result<bool> JoinGemm(Rewriter& graph, const Found& found, std::size_t quantize) {
  const NodeData& node = graph.node(found.node);
  const bool plain = node.attributes.Float("alpha", 1) == 1 &&
                     node.attributes.Float("beta", 1) == 1 && node.attributes.Int("transA", 0) == 0;
  const bool turned = node.attributes.Int("transB", 0) != 0;
  const auto a = plain ? BytesOf(graph, graph.Input(found.node, 0)) : std::nullopt;
  const auto b = a ? WeightsOf(graph, graph.Input(found.node, 1), turned ? 0 : 1) : std::nullopt;
  if (!b || !IsQuickerMatMul(*graph.Constant(b->bytes))) return false;
  Inputs inputs = {a->bytes, a->scale, a->zero,       b->bytes,
                   b->scale, b->zero,  found.y.scale, found.y.zero};
  const Tensor weights = *graph.Constant(b->bytes);
  if (const ValueId given = graph.Input(found.node, 2); given != kNoValue) {
    const ValueId row = BiasOf(graph, given, *a, *b, ScaleOf(graph, found.y));
    const bool fits = row != kNoValue && graph.Constant(row)->size() == weights.dim(turned ? 0 : 1);
    if (!fits) return false;
    inputs.push_back(row);
  }
  if (turned) inputs[3] = graph.AddConstant("turned", TRY(Transposed(weights)));
  graph.node(found.node).attributes = {};
  TRY(Become(graph, found, quantize, inputs, "slipway", "QLinearMatMul", 1));
  return true;
}

/// A sum or product of two quantised tensors.
Result<bool> JoinPair(Rewriter& graph, const Found& found, std::size_t quantize) {
  const auto a = BytesOf(graph, graph.Input(found.node, 0));
  const auto b = a ? BytesOf(graph, graph.Input(found.node, 1)) : std::nullopt;
  const DType dtype = TypeOf(graph, found.y);
  if (!b || TypeOf(graph, *a) != dtype || TypeOf(graph, *b) != dtype) return false;
  TRY(Become(
      graph, found, quantize,
      {a->bytes, a->scale, a->zero, b->bytes, b->scale, b->zero, found.y.scale, found.y.zero},
      "com.microsoft", "QLinear" + graph.node(found.node).type, 1));
  return true;
}

/// Nodes that give elements of input 0, or of all of them, as they are, of any type.
bool OnlyMoves(const NodeData& node) {
  static constexpr std::array<std::string_view, 11> kMoves = {
      "Concat", "DepthToSpace", "Expand",  "Flatten",   "Gather",   "Reshape",
      "Slice",  "SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze"};
  return node.domain.empty() && node.opset >= 10 &&
         std::ranges::find(kMoves, node.type) != kMoves.end();
}

Result<bool> JoinMove(Rewriter& graph, const Found& found, std::size_t quantize) {
  const NodeData& node = graph.node(found.node);
  const std::size_t count = node.type == "Concat" ? node.inputs.size() : 1;
  Inputs inputs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = BytesOf(graph, graph.Input(found.node, i));
    const bool alike = x && ScaleOf(graph, *x) == ScaleOf(graph, found.y) &&
                       ZeroOf(graph, *x) == ZeroOf(graph, found.y) &&
                       TypeOf(graph, *x) == TypeOf(graph, found.y);
    if (!alike) return false;
    inputs.push_back(x->bytes);
  }
  TRY(Become(graph, found, quantize, inputs, "", node.type, node.opset));
  return true;
}

Result<bool> Join(Rewriter& graph, std::size_t index) {
  if (!IsLinear(graph.node(index), "QuantizeLinear")) return false;
  const auto found = FindBefore(graph, index);
  if (!found) return false;
  const NodeData& node = graph.node(found->node);
  if (IsStandard(node, "Conv")) return JoinConv(graph, *found, index);
  if (IsStandard(node, "MatMul")) return JoinMatMul(graph, *found, index);
  if (IsStandard(node, "Gemm") && node.opset >= 7) return JoinGemm(graph, *found, index);
  const bool pairs = IsStandard(node, "Add") || IsStandard(node, "Mul");
  if (pairs && node.opset >= 7) return JoinPair(graph, *found, index);
  return OnlyMoves(node) && found->between.empty() ? JoinMove(graph, *found, index) : false;
}

Result<int> Run(Rewriter& graph) {
  if (!MayUseBytes(graph)) return 0;
  return ChangeEach(graph, [&](std::size_t i) { return Join(graph, i); });
}

}  // namespace

Pass passes_join_quantized() {
  return {.stage = 5, .summary = "computes with bytes between quantised tensors", .run = Run};
}

}  // namespace slipway::runtime
