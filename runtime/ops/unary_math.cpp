// SPDX-License-Identifier: Apache-2.0
// Abs, Ceil, Erf, Exp, Floor, Log, Neg, Reciprocal, Round, Sign, Sqrt: every version.
// Spec: https://onnx.ai/onnx/operators/onnx__Abs.html and the pages of the others.
#include <cmath>

#include "runtime/kernels/curves.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Abs : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::abs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < 0 ? static_cast<T>(0U - static_cast<std::make_unsigned_t<T>>(x)) : x;
    } else {
      return x;
    }
  }
};

struct Neg : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return -x;
    } else {
      return static_cast<T>(0U - static_cast<std::make_unsigned_t<T>>(x));
    }
  }
};

struct Sign : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x)) return x;
    }
    return static_cast<T>(static_cast<int>(x > T{0}) - static_cast<int>(x < T{0}));
  }
};

struct Erf : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kErf}; }
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::erf(x);
    } else {
      return static_cast<T>(std::erf(static_cast<double>(x)));
    }
  }
};

struct Ceil : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kCeil}; }
  template <class T>
  T operator()(T x) const {
    return std::ceil(x);
  }
};

struct Floor : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kFloor}; }
  template <class T>
  T operator()(T x) const {
    return std::floor(x);
  }
};

struct Round : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kRound}; }
  template <class T>
  T operator()(T x) const {
    return std::nearbyint(x);
  }
};

struct Sqrt : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kSqrt}; }
  template <class T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};

struct Reciprocal : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    return T{1} / x;
  }
};

struct Exp : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kExp}; }
  template <class T>
  T operator()(T x) const {
    return std::exp(x);
  }
};

struct Log : Plain {
  using Plain::Plain;
  CurveCall call() const { return {.curve = Curve::kLog}; }
  template <class T>
  T operator()(T x) const {
    return std::log(x);
  }
};

using SignedList = decltype(FloatList() + IntList());
constexpr DTypeSet kSignedTypes = kFloatTypes | kIntTypes;
constexpr DTypeSet kSignedTypesB = kFloatTypesB | kIntTypes;

template <class F, class List = FloatList>
constexpr Kernel kPlain[] = {{.name = "elementwise", .run = RunUnary<F, List>}};

constexpr std::string_view kX = "X:T -> Y:T";
constexpr std::string_view kInput = "input:T -> output:T";

consteval OpDef Row(std::string_view type, int since, std::string_view signature,
                    std::span<const TypeRule> types, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = since == 1 ? "consumed_inputs:ints" : "",
          .infer = InferSame,
          .kernels = kernels};
}

/// The usual three versions of a function of floats.
consteval std::array<OpDef, 3> FloatRows(std::string_view type, std::string_view signature,
                                         std::span<const Kernel> kernels) {
  return Versions({Row(type, 1, signature, kT<kFloatTypes>, kernels),
                   Row(type, 6, signature, kT<kFloatTypes>, kernels),
                   Row(type, 13, signature, kT<kFloatTypesB>, kernels)});
}

}  // namespace

OpList ops_unary_math() {
  static constexpr auto kOps =
      Versions({
          Row("Abs", 1, kX, kT<kFloatTypes>, kPlain<Abs, NumericList>),
          Row("Abs", 6, kX, kT<kNumericTypes>, kPlain<Abs, NumericList>),
          Row("Abs", 13, kX, kT<kNumericTypesB>, kPlain<Abs, NumericList>),
          Row("Neg", 1, kX, kT<kFloatTypes>, kPlain<Neg, SignedList>),
          Row("Neg", 6, kX, kT<kSignedTypes>, kPlain<Neg, SignedList>),
          Row("Neg", 13, kX, kT<kSignedTypesB>, kPlain<Neg, SignedList>),
          Row("Sign", 9, kInput, kT<kNumericTypes>, kPlain<Sign, NumericList>),
          Row("Sign", 13, kInput, kT<kNumericTypesB>, kPlain<Sign, NumericList>),
          Row("Erf", 9, kInput, kT<kNumericTypes>, kCurve<Erf, NumericList>),
          Row("Erf", 13, kInput, kT<kFloatTypesB>, kCurve<Erf, FloatList>),
          Row("Round", 11, kX, kT<kFloatTypes>, kCurve<Round>),
          Row("Round", 22, kX, kT<kFloatTypesB>, kCurve<Round>),
      }) +
      FloatRows("Ceil", kX, kCurve<Ceil>) + FloatRows("Floor", kX, kCurve<Floor>) +
      FloatRows("Sqrt", kX, kCurve<Sqrt>) + FloatRows("Reciprocal", kX, kPlain<Reciprocal>) +
      FloatRows("Exp", kInput, kCurve<Exp>) + FloatRows("Log", kInput, kCurve<Log>);
  return kOps;
}

}  // namespace slipway::runtime
