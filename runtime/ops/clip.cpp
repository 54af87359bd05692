// SPDX-License-Identifier: Apache-2.0
// Clip: opsets 1, 6 (bounds are attributes), 11, 12, 13 (bounds are inputs).
// Spec: https://onnx.ai/onnx/operators/onnx__Clip.html
#include <limits>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class C>
struct Bounds {
  C low, high;
  C operator()(C x) const {
    const C raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
};

template <class C>
constexpr C Least() {
  using Limits = std::numeric_limits<C>;
  return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
}

template <class C>
constexpr C Greatest() {
  using Limits = std::numeric_limits<C>;
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

template <class T>
Bounds<Compute<T>> BoundsOf(const NodeFacts& node, KernelContext& context) {
  using C = Compute<T>;
  Bounds<C> bounds{Least<C>(), Greatest<C>()};
  if (node.op->since < 11) {
    constexpr float kMost = std::numeric_limits<float>::max();
    const bool bounded = node.op->since == 6;
    if (bounded || node.attributes.Has("min")) {
      bounds.low = static_cast<C>(node.attributes.Float("min", -kMost));
    }
    if (bounded || node.attributes.Has("max")) {
      bounds.high = static_cast<C>(node.attributes.Float("max", kMost));
    }
    return bounds;
  }
  const Tensor* low = node.Has(1) ? context.input(1) : nullptr;
  const Tensor* high = node.Has(2) ? context.input(2) : nullptr;
  if (low != nullptr) bounds.low = static_cast<C>(low->data<T>()[0]);
  if (high != nullptr) bounds.high = static_cast<C>(high->data<T>()[0]);
  return bounds;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  return Dispatch(NumericList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    MapElements<T, T>(context, x, context.output(0), BoundsOf<T>(node, context));
  });
}

Result<Facts> Infer(const NodeFacts& node) {
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) continue;
    const Shape& shape = node.shape(i);
    if (shape.empty() || shape == Shape{1}) continue;
    return Invalid("input `", i == 1 ? "min" : "max", "` must be a scalar, not of shape ", shape);
  }
  return InferSame(node);
}

constexpr Kernel kKernels[] = {{.name = "elementwise", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types, std::string_view attributes = "") {
  return {.type = "Clip",
          .since = since,
          .signature = since < 11 ? "input:T -> output:T" : "input:T, min?:T, max?:T -> output:T",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_clip() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>, "consumed_inputs:ints, max:float, min:float"),
      Row(6, kT<kFloatTypes>, "max:float=3.4028235e+38, min:float=-3.4028235e+38"),
      Row(11, kT<kFloatTypes>),
      Row(12, kT<kNumericTypes>),
      Row(13, kT<kNumericTypesB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
