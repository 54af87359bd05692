// SPDX-License-Identifier: Apache-2.0
// PRelu: opsets 1 and 6 (one slope, or one per channel), 7, 9, 16 (slope broadcasts to X).
// Spec: https://onnx.ai/onnx/operators/onnx__PRelu.html
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct PRelu {
  template <class T>
  T operator()(T x, T slope) const {
    if constexpr (std::is_integral_v<T>) {
      return x < T{0} ? WrapMul(x, slope) : x;
    } else {
      return x < T{0} ? x * slope : x;
    }
  }
};

/// The slope's shape, so that it broadcasts by NumPy's rule.
Shape SlopeShape(const NodeFacts& node) {
  Shape slope = node.shape(1);
  const Shape& x = node.shape(0);
  if (node.op->since >= 7 || slope.size() != 1 || slope[0] == 1 || x.size() < 2) return slope;
  slope.insert(slope.end(), x.size() - 2, 1);
  return slope;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape out = TRY(BroadcastShapes(node.shape(0), SlopeShape(node)));
  if (out != node.shape(0)) {
    return Invalid("slope of shape ", node.shape(1), " does not broadcast to ", node.shape(0));
  }
  return InferSame(node);
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& slope = *context.input(1);
  Tensor& y = context.output(0);
  const BroadcastPlan plan = PlanBroadcast(y.shape(), {x.shape(), SlopeShape(node)});
  return Dispatch(decltype(FloatList() + WideIntList()){}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    BinaryElements(context, plan, x.data<T>().data(), slope.data<T>().data(), y.data<T>().data(),
                   PRelu());
  });
}

constexpr Kernel kKernels[] = {{.name = "elementwise", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "PRelu",
          .since = since,
          .signature = "X:T, slope:T -> Y:T",
          .types = types,
          .attributes = since == 1 ? "consumed_inputs:ints" : "",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_prelu() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>),
      Row(6, kT<kFloatTypes>),
      Row(7, kT<kFloatTypes>),
      Row(9, kT<kWideNumbers>),
      Row(16, kT<kWideNumbersB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
