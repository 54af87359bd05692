// SPDX-License-Identifier: Apache-2.0
// Sin, Cos, Tan, Asin, Acos, Atan (opset 7), Sinh, Cosh, Asinh, Acosh, Atanh (opset 9); 22 adds
// bfloat16. Spec: https://onnx.ai/onnx/operators/onnx__Sin.html and the pages of the others.
#include <cmath>

#include "runtime/kernels/curves.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <double (*ForDouble)(double), float (*ForFloat)(float)>
struct Function : Plain {
  using Plain::Plain;
  float operator()(float x) const { return ForFloat(x); }
  double operator()(double x) const { return ForDouble(x); }
};

template <double (*ForDouble)(double), float (*ForFloat)(float)>
constexpr Kernel kKernels[] = {
    {.name = "elementwise", .run = RunUnary<Function<ForDouble, ForFloat>, FloatList>}};

template <double (*ForDouble)(double), float (*ForFloat)(float), Curve curve>
struct CurvedFunction : Function<ForDouble, ForFloat> {
  using Function<ForDouble, ForFloat>::Function;
  CurveCall call() const { return {.curve = curve}; }
};

consteval std::array<OpDef, 2> Rows(std::string_view type, int since,
                                    std::span<const Kernel> kernels) {
  OpDef first{.type = type,
              .since = since,
              .signature = "input:T -> output:T",
              .types = kT<kFloatTypes>,
              .infer = InferSame,
              .kernels = kernels};
  OpDef second = first;
  second.since = 22;
  second.types = kT<kFloatTypesB>;
  return Versions({first, second});
}

}  // namespace

OpList ops_trigonometry() {
  static constexpr auto kOps =
      Rows("Sin", 7, kCurve<CurvedFunction<std::sin, std::sin, Curve::kSin>>) +
      Rows("Cos", 7, kCurve<CurvedFunction<std::cos, std::cos, Curve::kCos>>) +
      Rows("Tan", 7, kKernels<std::tan, std::tan>) +
      Rows("Asin", 7, kKernels<std::asin, std::asin>) +
      Rows("Acos", 7, kKernels<std::acos, std::acos>) +
      Rows("Atan", 7, kCurve<CurvedFunction<std::atan, std::atan, Curve::kAtan>>) +
      Rows("Sinh", 9, kKernels<std::sinh, std::sinh>) +
      Rows("Cosh", 9, kKernels<std::cosh, std::cosh>) +
      Rows("Asinh", 9, kKernels<std::asinh, std::asinh>) +
      Rows("Acosh", 9, kKernels<std::acosh, std::acosh>) +
      Rows("Atanh", 9, kKernels<std::atanh, std::atanh>);
  return kOps;
}

}  // namespace slipway::runtime
