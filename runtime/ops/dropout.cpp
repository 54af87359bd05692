// SPDX-License-Identifier: Apache-2.0
// Dropout: opsets 1, 6 (`is_test`), 7, 10 (inference only), 12, 13, 22 (`training_mode` input).
// Spec: https://onnx.ai/onnx/operators/onnx__Dropout.html
// Before opset 12 it always infers. A training mask made from a `seed` is the one NumPy's
// RandomState makes; float8 data is not served when training.
#include <random>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/random.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const DType mask = node.op->since >= 10 ? DType::kBool : node.dtype(0);
  return OutputFacts(node,
                     {TensorFacts(node.dtype(0), node.shape(0)), TensorFacts(mask, node.shape(0))});
}

Result<double> RatioOf(const NodeFacts& node, KernelContext& context) {
  if (!node.Has(1)) return 0.5;
  const Tensor& ratio = *context.input(1);
  if (ratio.size() != 1) return Invalid("input `ratio` of shape ", ratio.shape(), " is no scalar");
  double value = 0;
  TRY(Dispatch(FloatList{}, ratio.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    value = static_cast<double>(static_cast<Compute<T>>(ratio.data<T>()[0]));
  }));
  if (!(value >= 0 && value < 1)) {
    return Invalid("ratio ", static_cast<float>(value), " out of range [0, 1)");
  }
  return value;
}

Result<void> Train(const NodeFacts& node, KernelContext& context, double ratio) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  bool* mask = Wanted(node, 1) ? context.output(1).data<bool>().data() : nullptr;
  UniformSource uniform = UniformSource::Of(node, "seed");
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto in = x.data<T>();
    auto out = y.data<T>();
    const auto scale = static_cast<Compute<T>>(1.0 / (1.0 - ratio));
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool keep = uniform.Next() >= ratio;
      out[i] = static_cast<T>(keep ? static_cast<Compute<T>>(in[i]) * scale : Compute<T>{0});
      if (mask != nullptr) mask[i] = keep;
    }
  });
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const bool training =
      node.Has(2) && context.input(2)->size() > 0 && context.input(2)->data<bool>()[0];
  const double ratio = training ? TRY(RatioOf(node, context)) : 0;
  if (ratio > 0) return Train(node, context, ratio);
  CopyAll(*context.input(0), context.output(0));
  if (!Wanted(node, 1)) return {};
  Tensor& mask = context.output(1);
  if (mask.dtype() == DType::kBool) {
    std::fill_n(mask.data<bool>().data(), mask.size(), true);
    return {};
  }
  return Dispatch(FloatList{}, mask.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::fill_n(mask.data<T>().data(), mask.size(), static_cast<T>(1.0F));
  });
}

constexpr Kernel kKernels[] = {{.name = "dropout", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "Dropout",
          .since = since,
          .signature = since < 10   ? "data:T -> output:T, mask?:T"
                       : since < 12 ? "data:T -> output:T, mask?:T1"
                                    : "data:T, ratio?:T1, training_mode?:T2 -> output:T, mask?:T2",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels,
          .deterministic = since < 12};
}

constexpr DTypeSet kTypes22 = kFloatTypesB | kFloat8Types;
template <DTypeSet T, DTypeSet T1>
constexpr TypeRule kRules[] = {{"T", T}, {"T1", T1}, {"T2", kBoolType}};

}  // namespace

OpList ops_dropout() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>, "consumed_inputs:ints, is_test:int=0, ratio:float=0.5"),
      Row(6, kT<kFloatTypes>, "is_test:int=0, ratio:float=0.5"),
      Row(7, kT<kFloatTypes>, "ratio:float=0.5"),
      Row(10, kTT1<kFloatTypes, kBoolType>, "ratio:float=0.5"),
      Row(12, kRules<kFloatTypes, kFloatTypes>, "seed:int"),
      Row(13, kRules<kFloatTypesB, kFloatTypes>, "seed:int"),
      Row(22, kRules<kTypes22, kTypes22>, "seed:int"),
  });
  return kOps;
}

}  // namespace slipway::runtime
