// SPDX-License-Identifier: Apache-2.0
// Relu, Sigmoid, Tanh, LeakyRelu, Elu, Selu, HardSigmoid, HardSwish, Softplus, Softsign,
// ThresholdedRelu, Celu, Mish, Shrink, Gelu, Swish, SwiGLU: every version.
// Spec: https://onnx.ai/onnx/operators/onnx__Relu.html and the pages of the others.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/kernels/curves.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/gelu.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Relu : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    return x < T{0} ? T{0} : x;
  }
};

struct Sigmoid : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kSigmoid}; }
  template <class T>
  T operator()(T x) const {
    return T{1} / (T{1} + std::exp(-x));
  }
};

struct Tanh : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kTanh}; }
  template <class T>
  T operator()(T x) const {
    return std::tanh(x);
  }
};

struct Softplus : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kSoftplus}; }
  template <class T>
  T operator()(T x) const {
    return std::max(x, T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
};

struct Softsign : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    return x / (T{1} + std::abs(x));
  }
};

struct HardSwish : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kHardSwish}; }
  template <class T>
  T operator()(T x) const {
    return x * std::max(T{0}, std::min(T{1}, x / T{6} + T{0.5}));
  }
};

struct Mish : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kMish}; }
  template <class T>
  T operator()(T x) const {
    return x * std::tanh(std::max(x, T{0}) + std::log1p(std::exp(-std::abs(x))));
  }
};

struct LeakyRelu {
  float alpha;
  explicit LeakyRelu(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 0.01F)) {}
  CurveCall call() const { return {.curve = Curve::kLeakyRelu, .alpha = alpha}; }
  template <class T>
  T operator()(T x) const {
    return x < T{0} ? static_cast<T>(alpha) * x : x;
  }
};

struct ThresholdedRelu {
  float alpha;
  explicit ThresholdedRelu(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 1)) {}
  template <class T>
  T operator()(T x) const {
    return x <= static_cast<T>(alpha) ? T{0} : x;
  }
};

struct Elu {
  float alpha;
  explicit Elu(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 1)) {}
  CurveCall call() const { return {.curve = Curve::kElu, .alpha = alpha}; }
  template <class T>
  T operator()(T x) const {
    return x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x;
  }
};

struct Celu {
  float alpha;
  explicit Celu(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 1)) {}
  CurveCall call() const { return {.curve = Curve::kCelu, .alpha = alpha}; }
  template <class T>
  T operator()(T x) const {
    const T a = static_cast<T>(alpha);
    return x > T{0} ? x : a * std::expm1(x / a);
  }
};

struct Selu {
  float alpha, gamma;
  explicit Selu(const NodeFacts& node)
      : alpha(node.attributes.Float("alpha",
                                    node.op->since < 6 ? 1.6732F : 1.67326319217681884765625F)),
        gamma(node.attributes.Float("gamma",
                                    node.op->since < 6 ? 1.0507F : 1.05070102214813232421875F)) {}
  CurveCall call() const { return {.curve = Curve::kSelu, .alpha = alpha, .beta = gamma}; }
  template <class T>
  T operator()(T x) const {
    const T g = static_cast<T>(gamma);
    return x <= T{0} ? g * static_cast<T>(alpha) * std::expm1(x) : g * x;
  }
};

struct HardSigmoid {
  float alpha, beta;
  explicit HardSigmoid(const NodeFacts& node)
      : alpha(node.attributes.Float("alpha", 0.2F)), beta(node.attributes.Float("beta", 0.5F)) {}
  CurveCall call() const { return {.curve = Curve::kHardSigmoid, .alpha = alpha, .beta = beta}; }
  template <class T>
  T operator()(T x) const {
    const T y = static_cast<T>(alpha) * x + static_cast<T>(beta);
    return y < T{0} ? T{0} : y > T{1} ? T{1} : y;
  }
};

struct Shrink {
  float bias, lambd;
  explicit Shrink(const NodeFacts& node)
      : bias(node.attributes.Float("bias", 0)), lambd(node.attributes.Float("lambd", 0.5F)) {}
  template <class T>
  T operator()(T x) const {
    using C = std::conditional_t<std::is_same_v<T, float>, float, double>;
    const C value = static_cast<C>(x);
    const C l = static_cast<C>(lambd);
    if (value < -l) return static_cast<T>(value + static_cast<C>(bias));
    return value > l ? static_cast<T>(value - static_cast<C>(bias)) : T{0};
  }
};

struct Gelu {
  bool tanh;
  explicit Gelu(const NodeFacts& node)
      : tanh(node.attributes.String("approximate", "none") == "tanh") {}
  CurveCall call() const { return {.curve = tanh ? Curve::kGeluTanh : Curve::kGelu}; }
  template <class T>
  T operator()(T x) const {
    return tanh ? TanhGelu(x) : ErfGelu(x);
  }
};

struct Swish {
  float alpha;
  explicit Swish(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 1)) {}
  CurveCall call() const { return {.curve = Curve::kSwish, .alpha = alpha}; }
  template <class T>
  T operator()(T x) const {
    return x / (T{1} + std::exp(-static_cast<T>(alpha) * x));
  }
};

Result<Facts> InferGelu(const NodeFacts& node) {
  const std::string_view approximate = node.attributes.String("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    return Invalid("attribute `approximate` is `", approximate, "`, neither `none` nor `tanh`");
  }
  return InferSame(node);
}

/// Swish of the gate, times the value.
struct SwiGlu {
  float alpha;
  explicit SwiGlu(const NodeFacts& node) : alpha(node.attributes.Float("alpha", 1)) {}
  template <class T>
  T operator()(T gate, T value) const {
    return gate / (T{1} + std::exp(static_cast<T>(-alpha) * gate)) * value;
  }
};

Result<Facts> InferSwiGlu(const NodeFacts& node) {
  if (node.shape(0) == node.shape(1)) return InferSame(node);
  return Invalid("a gate of ", node.shape(0), " and a value of ", node.shape(1), " differ");
}

using ReluList = decltype(FloatList() + IntList());
constexpr DTypeSet kReluTypes = kFloatTypesB | kIntTypes;

template <class F, class List = FloatList>
constexpr Kernel kPlain[] = {{.name = "elementwise", .run = RunUnary<F, List>}};
constexpr Kernel kSwiGlu[] = {{.name = "elementwise", .run = RunBinary<SwiGlu, FloatList>}};

constexpr std::string_view kX = "X:T -> Y:T";
constexpr std::string_view kInput = "input:T -> output:T";

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::string_view attributes, std::span<const Kernel> kernels,
                    std::string_view signature = kX,
                    Result<Facts> (*infer)(const NodeFacts&) = InferSame) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

constexpr auto kSigmoid = std::span<const Kernel>(kCurve<Sigmoid>);
constexpr auto kTanh = std::span<const Kernel>(kCurve<Tanh>);

std::string DeclineCelu(const NodeFacts& node) {
  return Celu(node).alpha > 0 ? DeclineCurve(node) : "alpha is not above 0";
}

constexpr Kernel kCelu[] = {
    {.name = "curve_vectors", .declines = DeclineCelu, .run = RunCurveOf<Celu>},
    {.name = "elementwise", .run = RunUnary<Celu, FloatList>}};

}  // namespace

OpList ops_activation() {
  static constexpr auto kOps = Versions({
      Row("Relu", 1, kT<kFloatTypes>, "consumed_inputs:ints", kPlain<Relu, ReluList>),
      Row("Relu", 6, kT<kFloatTypes>, "", kPlain<Relu, ReluList>),
      Row("Relu", 13, kT<kFloatTypesB>, "", kPlain<Relu, ReluList>),
      Row("Relu", 14, kT<kReluTypes>, "", kPlain<Relu, ReluList>),
      Row("Sigmoid", 1, kT<kFloatTypes>, "consumed_inputs:ints", kSigmoid),
      Row("Sigmoid", 6, kT<kFloatTypes>, "", kSigmoid),
      Row("Sigmoid", 13, kT<kFloatTypesB>, "", kSigmoid),
      Row("Tanh", 1, kT<kFloatTypes>, "consumed_inputs:ints", kTanh, kInput),
      Row("Tanh", 6, kT<kFloatTypes>, "", kTanh, kInput),
      Row("Tanh", 13, kT<kFloatTypesB>, "", kTanh, kInput),
      Row("LeakyRelu", 1, kT<kFloatTypes>, "consumed_inputs:ints, alpha:float=0.01",
          kCurve<LeakyRelu>),
      Row("LeakyRelu", 6, kT<kFloatTypes>, "alpha:float=0.01", kCurve<LeakyRelu>),
      Row("LeakyRelu", 16, kT<kFloatTypesB>, "alpha:float=0.01", kCurve<LeakyRelu>),
      Row("Elu", 1, kT<kFloatTypes>, "consumed_inputs:ints, alpha:float=1.0", kCurve<Elu>),
      Row("Elu", 6, kT<kFloatTypes>, "alpha:float=1.0", kCurve<Elu>),
      Row("Elu", 22, kT<kFloatTypesB>, "alpha:float=1.0", kCurve<Elu>),
      Row("Selu", 1, kT<kFloatTypes>,
          "alpha:float=1.6732, consumed_inputs:ints, gamma:float=1.0507", kCurve<Selu>),
      Row("Selu", 6, kT<kFloatTypes>, "alpha:float=1.6732632, gamma:float=1.050701", kCurve<Selu>),
      Row("Selu", 22, kT<kFloatTypesB>, "alpha:float=1.6732632, gamma:float=1.050701",
          kCurve<Selu>),
      Row("HardSigmoid", 1, kT<kFloatTypes>,
          "consumed_inputs:ints, alpha:float=0.2, beta:float=0.5", kCurve<HardSigmoid>),
      Row("HardSigmoid", 6, kT<kFloatTypes>, "alpha:float=0.2, beta:float=0.5",
          kCurve<HardSigmoid>),
      Row("HardSigmoid", 22, kT<kFloatTypesB>, "alpha:float=0.2, beta:float=0.5",
          kCurve<HardSigmoid>),
      Row("HardSwish", 14, kT<kFloatTypes>, "", kCurve<HardSwish>),
      Row("HardSwish", 22, kT<kFloatTypesB>, "", kCurve<HardSwish>),
      Row("Softplus", 1, kT<kFloatTypes>, "", kCurve<Softplus>),
      Row("Softplus", 22, kT<kFloatTypesB>, "", kCurve<Softplus>),
      Row("Softsign", 1, kT<kFloatTypes>, "", kPlain<Softsign>, kInput),
      Row("Softsign", 22, kT<kFloatTypesB>, "", kPlain<Softsign>, kInput),
      Row("ThresholdedRelu", 1, kT<kFloatTypes>, "alpha:float=1.0", kPlain<ThresholdedRelu>),
      Row("ThresholdedRelu", 10, kT<kFloatTypes>, "alpha:float=1.0", kPlain<ThresholdedRelu>),
      Row("ThresholdedRelu", 22, kT<kFloatTypesB>, "alpha:float=1.0", kPlain<ThresholdedRelu>),
      Row("Mish", 18, kT<kFloatTypes>, "", kCurve<Mish>),
      Row("Mish", 22, kT<kFloatTypesB>, "", kCurve<Mish>),
      Row("Celu", 12, kT<kFloat32Type>, "alpha:float=1.0", kCelu),
      Row("Celu", 28, kT<kFloatTypesB>, "alpha:float=1.0", kCelu),
      Row("Shrink", 9, kT<kNumericTypes>, "bias:float=0.0, lambd:float=0.5",
          kPlain<Shrink, NumericList>, kInput),
      Row("Gelu", 20, kT<kFloatTypesB>, "approximate:string=none", kCurve<Gelu>, kX, InferGelu),
      Row("Swish", 24, kT<kFloatTypesB>, "alpha:float=1.0", kCurve<Swish>),
      Row("SwiGLU", 28, kT<kFloatTypesB>, "alpha:float=1.0", kSwiGlu, "A:T, B:T -> Y:T",
          InferSwiGlu),
  });
  return kOps;
}

}  // namespace slipway::runtime
