// SPDX-License-Identifier: Apache-2.0
// Where: opsets 9, 16. Spec: https://onnx.ai/onnx/operators/onnx__Where.html
#include <complex>
#include <string>

#include "runtime/bounds.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class T>
void Select(KernelContext& context, const BroadcastPlan& plan) {
  const bool* condition = context.input(0)->data<bool>().data();
  const auto* x = static_cast<const T*>(context.input(1)->raw());
  const auto* y = static_cast<const T*>(context.input(2)->raw());
  T* out = static_cast<T*>(context.output(0).raw());
  const std::int64_t c_step = plan.inner_stride(0);
  const std::int64_t x_step = plan.inner_stride(1);
  const std::int64_t y_step = plan.inner_stride(2);
  TextMeter meter;
  context.ParallelFor(plan.size, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    ForEachRun(plan, begin, end,
               [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                 for (std::int64_t i = 0; i < count; ++i) {
                   const T& chosen = condition[from[0] + i * c_step] ? x[from[1] + i * x_step]
                                                                     : y[from[2] + i * y_step];
                   if constexpr (std::is_same_v<T, std::string>) meter.Add(chosen);
                   out[at + i] = chosen;
                 }
               });
  });
}

Result<void> Run(const NodeFacts&, KernelContext& context) {
  const Tensor& output = context.output(0);
  const BroadcastPlan plan = PlanBroadcast(
      output.shape(),
      {context.input(0)->shape(), context.input(1)->shape(), context.input(2)->shape()});
  if (output.dtype() == DType::kString) {
    Select<std::string>(context, plan);
  } else if (DTypeBits(output.dtype()) == 8) {
    Select<std::uint8_t>(context, plan);
  } else if (DTypeBits(output.dtype()) == 16) {
    Select<std::uint16_t>(context, plan);
  } else if (DTypeBits(output.dtype()) == 32) {
    Select<std::uint32_t>(context, plan);
  } else if (DTypeBits(output.dtype()) == 64) {
    Select<std::uint64_t>(context, plan);
  } else {
    Select<std::complex<double>>(context, plan);
  }
  return {};
}

Result<Facts> Infer(const NodeFacts& node) {
  Shape shape = TRY(BroadcastShapes(node.shape(1), node.shape(2)));
  shape = TRY(BroadcastShapes(node.shape(0), shape));
  return Facts{TensorFacts(node.dtype(1), std::move(shape))};
}

constexpr Kernel kKernels[] = {{.name = "elementwise", .run = Run}};
constexpr TypeRule kTypes9[] = {{"B", kBoolType}, {"T", kClassicTypes}};
constexpr TypeRule kTypes16[] = {{"B", kBoolType}, {"T", kTypes13}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Where",
          .since = since,
          .signature = "condition:B, X:T, Y:T -> output:T",
          .types = types,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_where() {
  static constexpr auto kOps = Versions({Row(9, kTypes9), Row(16, kTypes16)});
  return kOps;
}

}  // namespace slipway::runtime
