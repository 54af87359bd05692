// SPDX-License-Identifier: Apache-2.0
// Scatter (opset 9), ScatterElements, ScatterND (opsets 11, 13, 16, 18).
// Spec: https://onnx.ai/onnx/operators/onnx__ScatterElements.html, onnx__ScatterND.html
#include "runtime/kernels/by_width.h"
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

template <Reduction reduction, class T>
T Joined(const T& a, const T& b) {
  if constexpr (reduction == Reduction::kNone) {
    return b;
  } else if constexpr (reduction == Reduction::kMax) {
    return static_cast<Compute<T>>(a) > static_cast<Compute<T>>(b) ? a : b;
  } else if constexpr (reduction == Reduction::kMin) {
    return static_cast<Compute<T>>(a) < static_cast<Compute<T>>(b) ? a : b;
  } else if constexpr (std::is_same_v<T, bool>) {
    return reduction == Reduction::kAdd ? a || b : a && b;
  } else if constexpr (std::is_integral_v<T>) {
    return reduction == Reduction::kAdd ? WrapAdd(a, b) : WrapMul(a, b);
  } else {
    const auto x = static_cast<Compute<T>>(a), y = static_cast<Compute<T>>(b);
    return static_cast<T>(reduction == Reduction::kAdd ? x + y : x * y);
  }
}

/// A list of offsets, gone through as IndexedElements are.
struct Listed {
  const Offsets& offsets;
  std::int64_t size() const { return static_cast<std::int64_t>(offsets.size()); }
  template <class Body>
  void ForEach(std::int64_t begin, std::int64_t end, const Body& body) const {
    for (std::int64_t i = begin; i < end; ++i) body(i, offsets[At(i)]);
  }
};

template <Reduction reduction, class T>
void JoinSlice(const T* from, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = Joined<reduction>(to[i], from[i]);
}

template <Reduction reduction, class T, class Places>
void JoinSlices(const T* from, const Places& places, std::int64_t count, T* to) {
  if (count == 1) {
    places.ForEach(0, places.size(), [=](std::int64_t i, std::int64_t place) {
      to[place] = Joined<reduction>(to[place], from[i]);
    });
  } else {
    places.ForEach(0, places.size(), [=](std::int64_t i, std::int64_t place) {
      JoinSlice<reduction>(from + i * count, count, to + place);
    });
  }
}

template <Reduction reduction, class Places>
Result<void> JoinAll(const Tensor& updates, const Places& places, std::int64_t count, Tensor& out) {
  const auto join = [&](auto tag) {
    using T = typename decltype(tag)::type;
    JoinSlices<reduction>(static_cast<const T*>(updates.raw()), places, count,
                          static_cast<T*>(out.raw()));
  };
  if constexpr (reduction == Reduction::kNone) {
    ByWidth(out.dtype(), join);
    return {};
  } else {
    return Dispatch(decltype(NumericList() + TypeList<bool>()){}, out.dtype(), join);
  }
}

/// Puts slices of `count` updates at `places`, in order.
template <class Places>
Result<void> Scatter(const NodeFacts& node, KernelContext& context, const Places& places,
                     std::int64_t count) {
  const Reduction reduction = TRY(ReductionOf(node));
  const Tensor& updates = *context.input(2);
  Tensor& out = context.output(0);
  CopyAll(*context.input(0), out);
  switch (reduction) {
    case Reduction::kNone:
      return JoinAll<Reduction::kNone>(updates, places, count, out);
    case Reduction::kAdd:
      return JoinAll<Reduction::kAdd>(updates, places, count, out);
    case Reduction::kMul:
      return JoinAll<Reduction::kMul>(updates, places, count, out);
    case Reduction::kMax:
      return JoinAll<Reduction::kMax>(updates, places, count, out);
    case Reduction::kMin:
      return JoinAll<Reduction::kMin>(updates, places, count, out);
  }
  return {};
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
  return Scatter(node, context, TRY(IndexedElements::Of(data, *context.input(1), axis)), 1);
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
  const Offsets offsets = TRY(SliceOffsets(data, *context.input(1), 0));
  return Scatter(node, context, Listed{offsets}, count);
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
