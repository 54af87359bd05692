// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Mod: every version, with the legacy `axis` and `broadcast` of opsets 1 to 6.
// Spec: https://onnx.ai/onnx/operators/onnx__Add.html and the pages of the others.
// Integers wrap around; integer division by zero, which the standard leaves open, gives 0.
#include <cmath>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Add : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return WrapAdd(a, b);
    } else {
      return a + b;
    }
  }
};

struct Sub : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return WrapSub(a, b);
    } else {
      return a - b;
    }
  }
};

struct Mul : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return WrapMul(a, b);
    } else {
      return a * b;
    }
  }
};

struct Div : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return SafeDiv(a, b);
    } else {
      return a / b;
    }
  }
};

struct Mod {
  bool sign_of_dividend;
  explicit Mod(const NodeFacts& node) : sign_of_dividend(node.attributes.Int("fmod", 0) != 0) {}
  template <class T>
  T operator()(T a, T b) const {
    T rest{};
    if constexpr (std::is_integral_v<T>) {
      rest = SafeRemainder(a, b);
    } else {
      rest = std::fmod(a, b);
      if (rest == 0 && !sign_of_dividend) return std::copysign(rest, b);
    }
    const bool opposite = rest != 0 && (rest < 0) != (b < 0);
    return opposite && !sign_of_dividend ? static_cast<T>(rest + b) : rest;
  }
};

template <class F>
constexpr Kernel kKernels[] = {{.name = "elementwise", .run = RunBinary<F, NumericList>}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels, std::string_view attributes = "") {
  return {.type = type,
          .since = since,
          .signature = "A:T, B:T -> C:T",
          .types = types,
          .attributes = attributes,
          .infer = InferBinary,
          .kernels = kernels};
}

consteval std::array<OpDef, 5> Rows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions({
      Row(type, 1, kT<kFloatTypes>, kernels, "axis:int, broadcast:int=0, consumed_inputs:ints"),
      Row(type, 6, kT<kWideNumbers>, kernels, "axis:int, broadcast:int=0"),
      Row(type, 7, kT<kWideNumbers>, kernels),
      Row(type, 13, kT<kWideNumbersB>, kernels),
      Row(type, 14, kT<kNumericTypesB>, kernels),
  });
}

}  // namespace

OpList ops_arithmetic() {
  static constexpr auto kOps = Rows("Add", kKernels<Add>) + Rows("Sub", kKernels<Sub>) +
                               Rows("Mul", kKernels<Mul>) + Rows("Div", kKernels<Div>) +
                               Versions({
                                   Row("Mod", 10, kT<kNumericTypes>, kKernels<Mod>, "fmod:int=0"),
                                   Row("Mod", 13, kT<kNumericTypesB>, kKernels<Mod>, "fmod:int=0"),
                                   Row("Mod", 28, kT<kNumericTypesB>, kKernels<Mod>, "fmod:int=0"),
                               });
  return kOps;
}

}  // namespace slipway::runtime
