// SPDX-License-Identifier: Apache-2.0
// Squeeze, Unsqueeze: opsets 1, 11 (axes are an attribute), 13, 21, 23, 24, 25 (an input).
// Spec: https://onnx.ai/onnx/operators/onnx__Squeeze.html, onnx__Unsqueeze.html
#include <algorithm>
#include <optional>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Squeezes all dimensions of size 1 where `axes` is nothing.
Result<Shape> SqueezedShape(const Shape& from, std::optional<std::vector<std::int64_t>> axes) {
  std::vector<bool> drop(from.size(), false);
  if (!axes) {
    for (std::size_t i = 0; i < from.size(); ++i) drop[i] = from[i] == 1;
  } else {
    for (const std::int64_t axis : TRY(NormalizeAxes(*axes, RankOf(from)))) {
      if (from[At(axis)] != 1) return Invalid("dimension ", axis, " of ", from, " is not 1");
      drop[At(axis)] = true;
    }
  }
  Shape to;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!drop[i]) to.push_back(from[i]);
  }
  return to;
}

Result<Shape> UnsqueezedShape(const Shape& from, std::vector<std::int64_t> axes) {
  const std::int64_t rank = RankOf(from) + static_cast<std::int64_t>(axes.size());
  axes = TRY(NormalizeAxes(std::move(axes), rank));
  std::sort(axes.begin(), axes.end());
  Shape to = from;
  for (const std::int64_t axis : axes) to.insert(to.begin() + axis, 1);
  return to;
}

/// The attribute or the constant input; `known` is false where they depend on data.
std::optional<std::vector<std::int64_t>> AxesOf(const NodeFacts& node, bool& known) {
  known = true;
  if (node.op->since < 13) {
    if (!node.attributes.Has("axes")) return std::nullopt;
    return node.attributes.Ints("axes", {});
  }
  known = !DependsOnData(node, 1);
  return ConstantInts(node, 1);
}

Result<Facts> InferSqueeze(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "axes", true));
  bool known = false;
  const auto axes = AxesOf(node, known);
  if (!known) return Facts{TensorFacts(node.dtype(0))};
  return Facts{TensorFacts(node.dtype(0), TRY(SqueezedShape(node.shape(0), axes)))};
}

Result<Facts> InferUnsqueeze(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "axes", true));
  bool known = false;
  const auto axes = AxesOf(node, known);
  if (!known) return Facts{TensorFacts(node.dtype(0))};
  return Facts{TensorFacts(node.dtype(0), TRY(UnsqueezedShape(node.shape(0), *axes)))};
}

template <bool squeeze>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& data = *context.input(0);
  if (node.outputs[0].shape) {
    CopyAll(data, context.output(0));
    return {};
  }
  std::vector<std::int64_t> axes = IntsOf(context.input(1));
  Shape to = squeeze ? TRY(SqueezedShape(data.shape(), std::move(axes)))
                     : TRY(UnsqueezedShape(data.shape(), std::move(axes)));
  context.Set(0, data.Reshaped(std::move(to)));
  return {};
}

constexpr Kernel kSqueeze[] = {{.name = "squeeze", .run = Run<true>}};
constexpr Kernel kUnsqueeze[] = {{.name = "unsqueeze", .run = Run<false>}};

consteval OpDef Squeeze(int since, std::span<const TypeRule> types) {
  return {.type = "Squeeze",
          .since = since,
          .signature = since < 13 ? "data:T -> squeezed:T" : "data:T, axes?:int64 -> squeezed:T",
          .types = types,
          .attributes = since < 13 ? "axes:ints" : "",
          .infer = InferSqueeze,
          .kernels = kSqueeze,
          .view = true};
}

consteval OpDef Unsqueeze(int since, std::span<const TypeRule> types) {
  return {.type = "Unsqueeze",
          .since = since,
          .signature = since < 13 ? "data:T -> expanded:T" : "data:T, axes:int64 -> expanded:T",
          .types = types,
          .attributes = since < 13 ? "axes!:ints" : "",
          .infer = InferUnsqueeze,
          .kernels = kUnsqueeze,
          .view = true};
}

}  // namespace

OpList ops_squeeze() {
  static constexpr auto kOps = Versions({
      Squeeze(1, kT<kClassicTypes>),
      Squeeze(11, kT<kClassicTypes>),
      Squeeze(13, kT<kTypes13>),
      Squeeze(21, kT<kTypes21>),
      Squeeze(23, kT<kTypes23>),
      Squeeze(24, kT<kTypes24>),
      Squeeze(25, kT<kTypes25>),
      Unsqueeze(1, kT<kClassicTypes>),
      Unsqueeze(11, kT<kClassicTypes>),
      Unsqueeze(13, kT<kTypes13>),
      Unsqueeze(21, kT<kTypes21>),
      Unsqueeze(23, kT<kTypes23>),
      Unsqueeze(24, kT<kTypes24>),
      Unsqueeze(25, kT<kTypes25>),
  });
  return kOps;
}

}  // namespace slipway::runtime
