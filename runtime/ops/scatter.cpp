// SPDX-License-Identifier: Apache-2.0
// Scatter (opset 9), ScatterElements, ScatterND (opsets 11, 13, 16, 18).
// Spec: https://onnx.ai/onnx/operators/onnx__ScatterElements.html, onnx__ScatterND.html
#include <algorithm>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/gather.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum class Reduction : std::uint8_t { kNone, kAdd, kMul, kMax, kMin };

Result<Reduction> ReductionOf(const NodeFacts& node) {
  const std::string_view name = node.attributes.String("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max" && node.op->since >= 18) return Reduction::kMax;
  if (name == "min" && node.op->since >= 18) return Reduction::kMin;
  return Invalid("attribute `reduction` is `", name, "`");
}

template <class T>
T Joined(Reduction reduction, T a, T b) {
  using C = Compute<T>;
  const auto x = static_cast<C>(a);
  const auto y = static_cast<C>(b);
  if (reduction == Reduction::kMax) return x > y ? a : b;
  if (reduction == Reduction::kMin) return x < y ? a : b;
  if constexpr (std::is_same_v<T, bool>) {
    return reduction == Reduction::kAdd ? a || b : a && b;
  } else if constexpr (std::is_integral_v<T>) {
    return reduction == Reduction::kAdd ? WrapAdd(a, b) : WrapMul(a, b);
  } else {
    return static_cast<T>(reduction == Reduction::kAdd ? x + y : x * y);
  }
}

/// Puts slices of `count` updates where `offsets` say, in order.
Result<void> Scatter(const NodeFacts& node, KernelContext& context, const Offsets& offsets,
                     std::int64_t count) {
  const Reduction reduction = TRY(ReductionOf(node));
  const Tensor& updates = *context.input(2);
  Tensor& out = context.output(0);
  CopyAll(*context.input(0), out);
  if (reduction == Reduction::kNone) {
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      CopyElements(updates, static_cast<std::int64_t>(i) * count, out, offsets[i], count);
    }
    return {};
  }
  return Dispatch(decltype(NumericList() + TypeList<bool>()){}, out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = updates.data<T>().data();
    T* to = out.data<T>().data();
    for (const std::int64_t offset : offsets) {
      for (std::int64_t i = 0; i < count; ++i, ++from) {
        to[offset + i] = Joined(reduction, to[offset + i], *from);
      }
    }
  });
}

Result<Facts> InferElements(const NodeFacts& node) {
  TRY(ReductionOf(node));
  const Shape& data = node.shape(0);
  const Shape& indices = node.shape(1);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(data))));
  bool fits = indices.size() == data.size() && node.shape(2) == indices;
  for (std::size_t d = 0; fits && d < data.size(); ++d) fits = d == axis || indices[d] <= data[d];
  if (fits) return InferSame(node);
  return Invalid("indices of ", indices, " and updates of ", node.shape(2), " do not lie within ",
                 data);
}

Result<void> RunElements(const NodeFacts& node, KernelContext& context) {
  const Shape& data = node.shape(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(data))));
  return Scatter(node, context, TRY(ElementOffsets(data, *context.input(1), axis)), 1);
}

Result<Facts> InferND(const NodeFacts& node) {
  TRY(ReductionOf(node));
  const Shape& data = node.shape(0);
  const Shape& indices = node.shape(1);
  if (data.empty() || indices.empty() || indices.back() < 0 || indices.back() > RankOf(data)) {
    return Invalid("indices of ", indices, " do not index data of ", data);
  }
  Shape want(indices.begin(), indices.end() - 1);
  want.insert(want.end(), data.begin() + indices.back(), data.end());
  if (node.shape(2) != want) return Invalid("updates of ", node.shape(2), " are not ", want);
  return InferSame(node);
}

Result<void> RunND(const NodeFacts& node, KernelContext& context) {
  const Shape& data = node.shape(0);
  const auto width = At(node.shape(1).back());
  const std::int64_t count = CountOf(data, width, data.size());
  return Scatter(node, context, TRY(SliceOffsets(data, *context.input(1), 0)), count);
}

constexpr Kernel kElements[] = {{.name = "scatter", .run = RunElements}};
constexpr Kernel kND[] = {{.name = "scatter", .run = RunND}};

consteval OpDef Elements(int since, std::span<const TypeRule> types) {
  return {.type = "ScatterElements",
          .since = since,
          .signature = "data:T, indices:Tind, updates:T -> output:T",
          .types = types,
          .attributes = since < 16 ? "axis:int=0" : "axis:int=0, reduction:string=none",
          .infer = InferElements,
          .kernels = kElements};
}

consteval OpDef OldScatter() {
  OpDef row = Elements(9, kTTind<kClassicTypes, kIndexTypes>);
  row.type = "Scatter";
  row.until = 10;
  return row;
}

consteval OpDef ND(int since, std::span<const TypeRule> types) {
  return {.type = "ScatterND",
          .since = since,
          .signature = "data:T, indices:int64, updates:T -> output:T",
          .types = types,
          .attributes = since < 16 ? "" : "reduction:string=none",
          .infer = InferND,
          .kernels = kND};
}

}  // namespace

OpList ops_scatter() {
  static constexpr auto kOps = Versions({
      OldScatter(),
      Elements(11, kTTind<kClassicTypes, kIndexTypes>),
      Elements(13, kTTind<kTypes13, kIndexTypes>),
      Elements(16, kTTind<kTypes13, kIndexTypes>),
      Elements(18, kTTind<kTypes13, kIndexTypes>),
      ND(11, kT<kClassicTypes>),
      ND(13, kT<kTypes13>),
      ND(16, kT<kTypes13>),
      ND(18, kT<kTypes13>),
  });
  return kOps;
}

}  // namespace slipway::runtime
