// SPDX-License-Identifier: Apache-2.0
// Range: opsets 11, 27 (float16, bfloat16). Spec: https://onnx.ai/onnx/operators/onnx__Range.html
// 16-bit floats are always computed in float32, whatever `stash_type` says.
#include <cmath>

#include "base/limits.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using RangeList = decltype(FloatList() + TypeList<std::int16_t, std::int32_t, std::int64_t>());

template <class C>
Result<std::int64_t> CountSteps(C start, C limit, C delta) {
  if (delta == C{0} || delta != delta) return Invalid("input `delta` is 0 or NaN");
  const double steps = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                 static_cast<double>(delta));
  if (!(steps > 0)) return std::int64_t{0};
  if (steps > static_cast<double>(limits::kTensorBytes)) {
    return Invalid("the range has more than ", limits::kTensorBytes, " elements");
  }
  return static_cast<std::int64_t>(steps);
}

Result<std::int64_t> StepsOf(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  Result<std::int64_t> steps = std::int64_t{0};
  TRY(Dispatch(RangeList{}, start.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using C = Compute<T>;
    steps = CountSteps(static_cast<C>(start.data<T>()[0]), static_cast<C>(limit.data<T>()[0]),
                       static_cast<C>(delta.data<T>()[0]));
  }));
  return steps;
}

Result<Facts> Infer(const NodeFacts& node) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (CountOf(node.shape(i), 0, node.shape(i).size()) != 1) {
      return Invalid("input ", i, " of ", node.shape(i), " is no scalar");
    }
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (DependsOnData(node, i)) return Facts{TensorFacts(node.dtype(0))};
  }
  const std::int64_t steps =
      TRY(StepsOf(*node.inputs[0].constant, *node.inputs[1].constant, *node.inputs[2].constant));
  return Facts{TensorFacts(node.dtype(0), {steps})};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& start = *context.input(0);
  const Tensor& delta = *context.input(2);
  const std::int64_t steps = TRY(StepsOf(start, *context.input(1), delta));
  Tensor* out = TRY(OutputOf(node, context, 0, start.dtype(), {steps}));
  return Dispatch(RangeList{}, start.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using C = Compute<T>;
    const auto first = static_cast<C>(start.data<T>()[0]);
    const auto step = static_cast<C>(delta.data<T>()[0]);
    auto to = out->data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = static_cast<T>(static_cast<C>(first + static_cast<C>(i) * step));
    }
  });
}

constexpr Kernel kKernels[] = {{.name = "range", .run = Run}};
constexpr DTypeSet kTypes11 =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt16, DType::kInt32, DType::kInt64});
constexpr DTypeSet kTypes27 = kTypes11 | kFloatTypesB;

consteval OpDef Row(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "Range",
          .since = since,
          .signature = "start:T, limit:T, delta:T -> output:T",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_range() {
  static constexpr auto kOps =
      Versions({Row(11, kT<kTypes11>, ""), Row(27, kT<kTypes27>, "stash_type:int=1")});
  return kOps;
}

}  // namespace slipway::runtime
