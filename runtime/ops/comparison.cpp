// SPDX-License-Identifier: Apache-2.0
// Equal, Less, Greater (opsets 1, 7, 9 or 11, 13, 19), LessOrEqual, GreaterOrEqual (12, 16).
// Spec: https://onnx.ai/onnx/operators/onnx__Equal.html and the pages of the others.
#include <functional>
#include <string>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class Relation>
struct Compare : Plain {
  using Plain::Plain;
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return Relation()(a, b);
  }
};

using EqualList = decltype(NumericList() + TypeList<bool, std::string>());

template <class Relation, class List = NumericList>
constexpr Kernel kKernels[] = {
    {.name = "elementwise", .run = RunBinary<Compare<Relation>, List, bool>}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "A:T, B:T -> C:T1",
          .types = types,
          .attributes = since < 7 ? "axis:int, broadcast:int=0" : "",
          .infer = InferBinaryBool,
          .kernels = kernels};
}

constexpr DTypeSet kEqual1 = kBoolType | kIndexTypes;
constexpr DTypeSet kEqual11 = kNumericTypes | kBoolType;
constexpr DTypeSet kEqual13 = kNumericTypesB | kBoolType;
constexpr DTypeSet kEqual19 = kEqual13 | kStringType;
constexpr auto& kLess = kKernels<std::less<>>;
constexpr auto& kGreater = kKernels<std::greater<>>;
constexpr auto& kEqual = kKernels<std::equal_to<>, EqualList>;
constexpr auto& kLessOrEqual = kKernels<std::less_equal<>>;
constexpr auto& kGreaterOrEqual = kKernels<std::greater_equal<>>;

}  // namespace

OpList ops_comparison() {
  static constexpr auto kOps = Versions({
      Row("Equal", 1, kTT1<kEqual1, kBoolType>, kEqual),
      Row("Equal", 7, kTT1<kEqual1, kBoolType>, kEqual),
      Row("Equal", 11, kTT1<kEqual11, kBoolType>, kEqual),
      Row("Equal", 13, kTT1<kEqual13, kBoolType>, kEqual),
      Row("Equal", 19, kTT1<kEqual19, kBoolType>, kEqual),
      Row("Less", 1, kTT1<kFloatTypes, kBoolType>, kLess),
      Row("Less", 7, kTT1<kFloatTypes, kBoolType>, kLess),
      Row("Less", 9, kTT1<kNumericTypes, kBoolType>, kLess),
      Row("Less", 13, kTT1<kNumericTypesB, kBoolType>, kLess),
      Row("Greater", 1, kTT1<kFloatTypes, kBoolType>, kGreater),
      Row("Greater", 7, kTT1<kFloatTypes, kBoolType>, kGreater),
      Row("Greater", 9, kTT1<kNumericTypes, kBoolType>, kGreater),
      Row("Greater", 13, kTT1<kNumericTypesB, kBoolType>, kGreater),
      Row("LessOrEqual", 12, kTT1<kNumericTypes, kBoolType>, kLessOrEqual),
      Row("LessOrEqual", 16, kTT1<kNumericTypesB, kBoolType>, kLessOrEqual),
      Row("GreaterOrEqual", 12, kTT1<kNumericTypes, kBoolType>, kGreaterOrEqual),
      Row("GreaterOrEqual", 16, kTT1<kNumericTypesB, kBoolType>, kGreaterOrEqual),
  });
  return kOps;
}

}  // namespace slipway::runtime
