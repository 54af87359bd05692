// SPDX-License-Identifier: Apache-2.0
// Pow: opsets 1, 7, 12, 13, 15. Spec: https://onnx.ai/onnx/operators/onnx__Pow.html
// Integers to negative powers, which the standard leaves open, are truncated towards zero.
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "runtime/kernels/curves_simd.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class T>
T IntegerPower(T base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == -1) return exponent % 2 == 0 ? T{1} : T{-1};
    return 0;
  }
  T power = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) power = WrapMul(power, base);
    base = WrapMul(base, base);
  }
  return power;
}

struct Power {
  template <class T, class E>
  T operator()(T base, E exponent) const {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
      return IntegerPower(base, static_cast<std::int64_t>(exponent));
    } else if constexpr (std::is_integral_v<T>) {
      const double power = std::pow(static_cast<double>(base), static_cast<double>(exponent));
      if (!(power > -9.3e18 && power < 9.3e18)) return 0;
      return static_cast<T>(static_cast<std::int64_t>(power));
    } else if constexpr (std::is_same_v<T, E>) {
      return exponent == T{2} ? base * base : std::pow(base, exponent);
    } else {
      return static_cast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
    }
  }
};

template <class T, class E>
void PowElements(KernelContext& context, const BroadcastPlan& plan, const T* x, const E* y, T* z) {
  context.ParallelFor(plan.size, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    ForEachRun(plan, begin, end,
               [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                 for (std::int64_t i = 0; i < count; ++i) {
                   const T base = x[from[0] + i * plan.inner_stride(0)];
                   const E exponent = y[from[1] + i * plan.inner_stride(1)];
                   z[at + i] = static_cast<T>(
                       Power()(static_cast<Compute<T>>(base), static_cast<Compute<E>>(exponent)));
                 }
               });
  });
}

/// The exponents as int64 or double, so that kernels are few.
template <class Wide>
Result<Tensor> Widened(KernelContext& context, const Tensor& exponents) {
  Tensor wide = TRY(Tensor::Make(kDTypeOf<Wide>, exponents.shape()));
  TRY(Dispatch(NumericList{}, exponents.dtype(), [&](auto tag) {
    using E = typename decltype(tag)::type;
    MapElements<E, Wide>(context, exponents, wide, [](auto x) { return static_cast<Wide>(x); });
  }));
  return wide;
}

bool IsInteger(DType dtype) { return (kIntTypes | kUintTypes).Has(dtype); }

/// The one exponent.
double ExponentOf(const Tensor& y) {
  double exponent = 0;
  (void)Dispatch(NumericList{}, y.dtype(), [&](auto tag) {
    using E = typename decltype(tag)::type;
    exponent = static_cast<double>(static_cast<Compute<E>>(y.data<E>()[0]));
  });
  return exponent;
}

std::string DeclineSimple(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "not float";
  const Tensor* y = node.inputs[1].constant;
  if (y == nullptr || y->size() != 1) return "exponents differ, or come at run time";
  if (node.shape(0) != node.outputs[0].shape) return "bases repeat";
  const double exponent = ExponentOf(*y);
  const bool simple = exponent == 2 || exponent == 3 || exponent == -1;
  return simple || std::abs(exponent) == 0.5 ? "" : "not the power 2, 3, -1, 0.5 or -0.5";
}

/// Square roots, or 1 over them. As a power that of minus infinity is infinite, and of minus 0 it
/// is 0.
void Roots(KernelContext& context, const Tensor& x, Tensor& z, bool inverse) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float* base = x.data<float>().data();
  float* out = z.data<float>().data();
  context.ParallelFor(z.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) {
    RunCurve({.curve = Curve::kSqrt}, base + begin, out + begin, end - begin);
    for (std::int64_t i = begin; i < end; ++i) {
      const float root = base[i] == -kInfinity ? kInfinity : out[i] + 0.0F;
      out[i] = inverse ? 1 / root : root;
    }
  });
}

Result<void> RunSimple(const NodeFacts&, KernelContext& context) {
  const double exponent = ExponentOf(*context.input(1));
  const Tensor& x = *context.input(0);
  Tensor& z = context.output(0);
  if (exponent == 2) {
    MapElements<float, float>(context, x, z, [](float base) { return base * base; });
  } else if (exponent == 3) {
    MapElements<float, float>(context, x, z, [](float base) { return base * base * base; });
  } else if (exponent == -1) {
    MapElements<float, float>(context, x, z, [](float base) { return 1 / base; });
  } else {
    Roots(context, x, z, exponent < 0);
  }
  return {};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& y = *context.input(1);
  Tensor& z = context.output(0);
  const BroadcastPlan plan = PlanBroadcast(z.shape(), TRY(BinaryShapes(node)));
  std::optional<Tensor> wide;
  if (x.dtype() != y.dtype() || IsInteger(x.dtype())) {
    wide = IsInteger(x.dtype()) && IsInteger(y.dtype()) ? TRY(Widened<std::int64_t>(context, y))
                                                        : TRY(Widened<double>(context, y));
  }
  const auto run = [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* base = x.data<T>().data();
    T* out = z.data<T>().data();
    if (!wide) {
      PowElements(context, plan, base, y.data<T>().data(), out);
    } else if (wide->dtype() == DType::kFloat64) {
      PowElements(context, plan, base, wide->data<double>().data(), out);
    } else {
      PowElements(context, plan, base, wide->data<std::int64_t>().data(), out);
    }
  };
  return Dispatch(decltype(FloatList() + TypeList<std::int32_t, std::int64_t>()){}, x.dtype(), run);
}

constexpr DTypeSet kBases = kFloatTypes | kIndexTypes;
constexpr DTypeSet kBasesB = kFloatTypesB | kIndexTypes;
constexpr Kernel kKernels[] = {{.name = "pow_simple", .declines = DeclineSimple, .run = RunSimple},
                               {.name = "elementwise", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types, std::string_view attributes = "") {
  return {.type = "Pow",
          .since = since,
          .signature = since < 12 ? "X:T, Y:T -> Z:T" : "X:T, Y:T1 -> Z:T",
          .types = types,
          .attributes = attributes,
          .infer = InferBinary,
          .kernels = kKernels};
}

}  // namespace

OpList ops_pow() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>, "axis:int, broadcast:int=0"),
      Row(7, kT<kFloatTypes>),
      Row(12, kTT1<kBases, kNumericTypes>),
      Row(13, kTT1<kBasesB, kNumericTypes>),
      Row(15, kTT1<kBasesB, kNumericTypesB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
