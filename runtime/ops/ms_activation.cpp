// SPDX-License-Identifier: Apache-2.0
// com.microsoft: Gelu, BiasGelu, FastGelu, QuickGelu (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include <memory>

#include "runtime/kernels/delegate.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/gelu.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct BiasGelu : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x, T bias) const {
    return ErfGelu(x + bias);
  }
};

struct FastBiasGelu : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x, T bias) const {
    return TanhGelu(x + bias);
  }
};

struct FastGelu : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x) const {
    return TanhGelu(x);
  }
};

/// The operator of ai.onnx that the node is, but for its bias.
NodeFacts AsStandard(const NodeFacts& node) {
  if (node.op->type == "QuickGelu") return AsNodeOf(node, "", "Swish", 24);
  NodeFacts gelu = AsNodeOf(node, "", "Gelu", 20);
  const bool fast = node.op->type == "FastGelu";
  gelu.attributes.Set("approximate", std::string(fast ? "tanh" : "none"));
  gelu.inputs.resize(1);
  gelu.present.resize(1);
  return gelu;
}

template <bool reference>
Result<std::unique_ptr<Executable>> PrepareStandard(const NodeFacts& node, DeviceContext& device) {
  return PrepareNode(AsStandard(node), reference, device);
}

/// A run whose input is what lies in its output already.
class InPlace final : public KernelContext {
 public:
  explicit InPlace(KernelContext& outer) : outer_(outer) {}

  const Tensor* input(std::size_t) override { return &outer_.output(0); }
  const Value& input_value(std::size_t index) override { return outer_.input_value(index); }
  std::size_t inputs() const override { return 1; }
  Tensor& output(std::size_t index) override { return outer_.output(index); }
  Result<Tensor*> Allocate(std::size_t index, DType dtype, Shape shape) override {
    return outer_.Allocate(index, dtype, std::move(shape));
  }
  void Set(std::size_t index, Value value) override { outer_.Set(index, std::move(value)); }
  std::span<std::byte> scratch() override { return outer_.scratch(); }
  void ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) override {
    outer_.ParallelFor(count, grain, body);
  }
  int threads() const override { return outer_.threads(); }

 private:
  KernelContext& outer_;
};

/// F of the input and the bias of its last dimension.
template <class F>
Result<void> RunBiased(const NodeFacts& node, KernelContext& context) {
  const F f(node);
  const Tensor& x = *context.input(0);
  const Tensor& bias = *context.input(1);
  Tensor& y = context.output(0);
  const BroadcastPlan plan = PlanBroadcast(x.shape(), {x.shape(), bias.shape()});
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    BinaryElements(context, plan, x.data<T>().data(), bias.data<T>().data(), y.data<T>().data(), f);
  });
}

struct Sum : Plain {
  using Plain::Plain;
  template <class T>
  T operator()(T x, T bias) const {
    return x + bias;
  }
};

/// The sum with the bias, and then the function over it.
class Biased final : public Executable {
 public:
  Biased(const NodeFacts& node, std::unique_ptr<Executable> function)
      : node_(node), function_(std::move(function)) {}

  std::int64_t scratch_bytes() const override { return function_->scratch_bytes(); }

  Result<void> Run(KernelContext& context) const override {
    TRY(RunBiased<Sum>(node_, context));
    InPlace in_place(context);
    return function_->Run(in_place);
  }

 private:
  const NodeFacts& node_;
  std::unique_ptr<Executable> function_;
};

std::string DeclineBiased(const NodeFacts& node) {
  return node.dtype(0) == DType::kFloat32 ? "" : "the sum would be rounded";
}

Result<std::unique_ptr<Executable>> PrepareBiased(const NodeFacts& node, DeviceContext& device) {
  auto function = TRY(PrepareNode(AsStandard(node), false, device));
  if (!node.Has(1)) return function;
  return std::unique_ptr<Executable>(std::make_unique<Biased>(node, std::move(function)));
}

Result<Facts> InferBias(const NodeFacts& node) {
  if (node.Has(1)) {
    const Shape& x = node.shape(0);
    if (x.empty() || node.shape(1) != Shape{x.back()}) {
      return Invalid("bias of ", node.shape(1),
                     " is not one number for each of the last dimension of ", x);
    }
  }
  return InferSame(node);
}

Result<void> RunFastGelu(const NodeFacts& node, KernelContext& context) {
  if (node.Has(1)) return RunBiased<FastBiasGelu>(node, context);
  return RunUnary<FastGelu, FloatList>(node, context);
}

constexpr Kernel kStandard[] = {{.name = "standard", .prepare = PrepareStandard<false>},
                                {.name = "standard_reference", .prepare = PrepareStandard<true>}};
constexpr Kernel kBiasGelu[] = {
    {.name = "biased_standard", .declines = DeclineBiased, .prepare = PrepareBiased},
    {.name = "bias_gelu_reference", .run = RunBiased<BiasGelu>}};
constexpr Kernel kFastGelu[] = {
    {.name = "biased_standard", .declines = DeclineBiased, .prepare = PrepareBiased},
    {.name = "fast_gelu_reference", .run = RunFastGelu}};

consteval OpDef Row(std::string_view type, std::string_view signature, std::string_view attributes,
                    Result<Facts> (*infer)(const NodeFacts&), std::span<const Kernel> kernels) {
  return {.type = type,
          .domain = "com.microsoft",
          .signature = signature,
          .types = kT<kFloatTypesB>,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

}  // namespace

OpList ops_ms_activation() {
  static constexpr auto kOps = Versions({
      Row("Gelu", "X:T -> Y:T", "", InferSame, kStandard),
      Row("QuickGelu", "X:T -> Y:T", "alpha:float=1.702", InferSame, kStandard),
      Row("BiasGelu", "A:T, B:T -> C:T", "", InferBias, kBiasGelu),
      Row("FastGelu", "X:T, bias?:T -> Y:T", "", InferBias, kFastGelu),
  });
  return kOps;
}

}  // namespace slipway::runtime
