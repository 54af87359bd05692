// SPDX-License-Identifier: Apache-2.0
// GlobalAveragePool, GlobalMaxPool (opsets 1, 22), GlobalLpPool (1, 2, 22).
// Spec: https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html and the pages of the others.
#include <cmath>
#include <limits>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce_floats.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const Shape spatial = TRY(SpatialOf(node.shape(0)));
  const Shape& x = node.shape(0);
  return Facts{TensorFacts(node.dtype(0), WithSpatial(x[0], x[1], Shape(spatial.size(), 1)))};
}

template <class F>
Result<void> Run(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const std::int64_t count = y.size() == 0 ? 0 : x.size() / y.size();
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    ReduceRows<F, T>(context, x.data<T>().data(), y.data<T>().data(), y.size(), count);
  });
}

std::string DeclineSimd(const NodeFacts& node) {
  return node.dtype(0) == DType::kFloat32 ? "" : "the input is not float32";
}

template <class F>
Result<void> RunSimd(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  ReduceFloats<F>(context, {.outer = y.size(), .count = x.size() / y.size()},
                  x.data<float>().data(), y.data<float>().data());
  return {};
}

Result<void> RunLp(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const double p = node.op->since == 1 ? static_cast<double>(node.attributes.Float("p", 2))
                                       : static_cast<double>(node.attributes.Int("p", 2));
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto in = x.data<T>();
    auto out = y.data<T>();
    const std::size_t count = out.empty() ? 0 : in.size() / out.size();
    for (std::size_t r = 0; r < out.size(); ++r) {
      double sum = 0;
      for (const T& element : in.subspan(r * count, count)) {
        sum += std::pow(std::abs(static_cast<double>(element)), p);
      }
      out[r] = static_cast<T>(std::pow(sum, 1 / p));
    }
  });
}

template <class F>
constexpr Kernel kKernels[] = {{.name = "reduce_simd", .declines = DeclineSimd, .run = RunSimd<F>},
                               {.name = "reduce", .run = Run<F>}};
constexpr auto& kAverage = kKernels<MeanOf>;
constexpr auto& kMax = kKernels<MaxOf>;
constexpr Kernel kLp[] = {{.name = "global_lp_pool_reference", .run = RunLp}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels, std::string_view attributes = "") {
  return {.type = type,
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kernels};
}

}  // namespace

OpList ops_global_pool() {
  static constexpr auto kOps = Versions({
      Row("GlobalAveragePool", 1, kT<kFloatTypes>, kAverage),
      Row("GlobalAveragePool", 22, kT<kFloatTypesB>, kAverage),
      Row("GlobalMaxPool", 1, kT<kFloatTypes>, kMax),
      Row("GlobalMaxPool", 22, kT<kFloatTypesB>, kMax),
      Row("GlobalLpPool", 1, kT<kFloatTypes>, kLp, "p:float=2.0"),
      Row("GlobalLpPool", 2, kT<kFloatTypes>, kLp, "p:int=2"),
      Row("GlobalLpPool", 22, kT<kFloatTypesB>, kLp, "p:int=2"),
  });
  return kOps;
}

}  // namespace slipway::runtime
