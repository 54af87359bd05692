// SPDX-License-Identifier: Apache-2.0
// IsNaN (opsets 9, 13, 20), IsInf (10, 20).
// Spec: https://onnx.ai/onnx/operators/onnx__IsNaN.html, onnx__IsInf.html
#include <cmath>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/minifloat.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct IsNaN : Plain {
  using Plain::Plain;
  template <class T>
  bool operator()(T x) const {
    return std::isnan(x);
  }
};

struct IsInf {
  bool negative, positive;
  explicit IsInf(const NodeFacts& node)
      : negative(node.attributes.Int("detect_negative", 1) != 0),
        positive(node.attributes.Int("detect_positive", 1) != 0) {}
  template <class T>
  bool operator()(T x) const {
    return std::isinf(x) && (x < 0 ? negative : positive);
  }
};

template <class F>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const F f(node);
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  if (IsMiniFloat(x.dtype())) {
    const auto* in = static_cast<const std::uint8_t*>(x.raw());
    bool* out = y.data<bool>().data();
    for (std::int64_t i = 0; i < x.size(); ++i) out[i] = f(DecodeMini(x.dtype(), in[i]));
    return {};
  }
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    MapElements<typename decltype(tag)::type, bool>(context, x, y, f);
  });
}

Result<Facts> Infer(const NodeFacts& node) {
  return Facts{TensorFacts(DType::kBool, node.shape(0))};
}

constexpr Kernel kIsNaN[] = {{.name = "elementwise", .run = Run<IsNaN>}};
constexpr Kernel kIsInf[] = {{.name = "elementwise", .run = Run<IsInf>}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels, std::string_view attributes = "") {
  return {.type = type,
          .since = since,
          .signature = "X:T1 -> Y:T2",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kernels};
}

constexpr DTypeSet kWithFloat8 = kFloatTypesB | kFloat8Types;
constexpr DTypeSet kInf10 = Types({DType::kFloat32, DType::kFloat64});
constexpr std::string_view kDetect = "detect_negative:int=1, detect_positive:int=1";

}  // namespace

OpList ops_isnan() {
  static constexpr auto kOps = Versions({
      Row("IsNaN", 9, kT1T2<kFloatTypes, kBoolType>, kIsNaN),
      Row("IsNaN", 13, kT1T2<kFloatTypesB, kBoolType>, kIsNaN),
      Row("IsNaN", 20, kT1T2<kWithFloat8, kBoolType>, kIsNaN),
      Row("IsInf", 10, kT1T2<kInf10, kBoolType>, kIsInf, kDetect),
      Row("IsInf", 20, kT1T2<kWithFloat8, kBoolType>, kIsInf, kDetect),
  });
  return kOps;
}

}  // namespace slipway::runtime
