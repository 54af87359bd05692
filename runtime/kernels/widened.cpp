// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/widened.h"

#include <optional>
#include <utility>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

bool IsHalf(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBfloat16; }

/// Converts on one thread, for constants when there is no run yet.
class PlainContext final : public KernelContext {
 public:
  const Tensor* input(std::size_t) override { return nullptr; }
  const Value& input_value(std::size_t) override { return none_; }
  std::size_t inputs() const override { return 0; }
  Tensor& output(std::size_t) override { return tensor_; }
  Result<Tensor*> Allocate(std::size_t, DType, Shape) override { return &tensor_; }
  void Set(std::size_t, Value) override {}
  std::span<std::byte> scratch() override { return {}; }
  void ParallelFor(std::int64_t count, std::int64_t, const RangeBody& body) override {
    if (count > 0) body(0, count);
  }
  int threads() const override { return 1; }

 private:
  Value none_;
  Tensor tensor_;
};

/// What the float32 kernel sees of a run: converted copies.
class WidenedContext final : public KernelContext {
 public:
  WidenedContext(KernelContext& outer, const std::vector<Tensor>& constants)
      : outer_(outer), inputs_(constants), outputs_(16) {}

  const Tensor* input(std::size_t index) override {
    const Tensor* tensor = outer_.input(index);
    if (tensor == nullptr || !IsHalf(tensor->dtype())) return tensor;
    return &inputs_[index];
  }
  const Value& input_value(std::size_t index) override { return outer_.input_value(index); }
  std::size_t inputs() const override { return outer_.inputs(); }
  Tensor& output(std::size_t index) override {
    return outputs_[index] ? *outputs_[index] : outer_.output(index);
  }
  Result<Tensor*> Allocate(std::size_t index, DType dtype, Shape shape) override {
    return outer_.Allocate(index, dtype, std::move(shape));
  }
  void Set(std::size_t index, Value value) override { outer_.Set(index, std::move(value)); }
  std::span<std::byte> scratch() override { return outer_.scratch(); }
  void ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) override {
    outer_.ParallelFor(count, grain, body);
  }
  int threads() const override { return outer_.threads(); }

  Result<void> Widen(std::size_t index) {
    const Tensor* tensor = outer_.input(index);
    if (tensor == nullptr || !IsHalf(tensor->dtype()) || inputs_[index].size() > 0) return {};
    inputs_[index] = TRY(Tensor::Make(DType::kFloat32, tensor->shape()));
    return ConvertElements(outer_, *tensor, inputs_[index]);
  }
  Result<void> Open(std::size_t index, const Shape& shape) {
    outputs_[index] = TRY(Tensor::Make(DType::kFloat32, shape));
    return {};
  }
  Result<void> Close(std::size_t index) {
    if (!outputs_[index]) return {};
    return ConvertElements(outer_, *outputs_[index], outer_.output(index));
  }

 private:
  KernelContext& outer_;
  std::vector<Tensor> inputs_;
  std::vector<std::optional<Tensor>> outputs_;
};

class WidenedExecutable final : public Executable {
 public:
  WidenedExecutable(const NodeFacts& node, NodeFacts wide) : node_(node), wide_(std::move(wide)) {}

  Result<void> Prepare(PrepareFunction prepare, DeviceContext& device) {
    PlainContext context;
    constants_.resize(node_.inputs.size());
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const Tensor* constant = node_.inputs[i].constant;
      if (constant == nullptr) continue;
      wide_.inputs[i].constant = constant;
      if (!IsHalf(constant->dtype())) continue;
      constants_[i] = TRY(Tensor::Make(DType::kFloat32, constant->shape()));
      TRY(ConvertElements(context, *constant, constants_[i]));
      wide_.inputs[i].constant = &constants_[i];
    }
    inner_ = TRY(prepare(wide_, device));
    return {};
  }

  std::int64_t scratch_bytes() const override { return inner_->scratch_bytes(); }

  Result<void> Run(KernelContext& context) const override {
    WidenedContext wide(context, constants_);
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      if (node_.Has(i)) TRY(wide.Widen(i));
    }
    const auto converted = [&](std::size_t i) {
      return Wanted(node_, i) && i < node_.outputs.size() && IsHalf(node_.outputs[i].dtype);
    };
    for (std::size_t i = 0; i < node_.outputs.size(); ++i) {
      if (converted(i)) TRY(wide.Open(i, *node_.outputs[i].shape));
    }
    TRY(inner_->Run(wide));
    for (std::size_t i = 0; i < node_.outputs.size(); ++i) {
      if (converted(i)) TRY(wide.Close(i));
    }
    return {};
  }

 private:
  const NodeFacts& node_;
  NodeFacts wide_;
  std::vector<Tensor> constants_;
  std::unique_ptr<Executable> inner_;
};

}  // namespace

bool HasHalfInput(const NodeFacts& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.Has(i) && IsHalf(node.dtype(i))) return true;
  }
  return false;
}

NodeFacts WidenedFacts(const NodeFacts& node) {
  NodeFacts wide = node;
  for (ValueFacts& input : wide.inputs) {
    if (IsHalf(input.dtype)) input.dtype = DType::kFloat32;
    input.constant = nullptr;
  }
  for (ValueFacts& output : wide.outputs) {
    if (IsHalf(output.dtype)) output.dtype = DType::kFloat32;
    output.constant = nullptr;
  }
  return wide;
}

Result<std::unique_ptr<Executable>> PrepareWidenedBy(PrepareFunction prepare, const NodeFacts& node,
                                                     DeviceContext& device) {
  auto executable = std::make_unique<WidenedExecutable>(node, WidenedFacts(node));
  TRY(executable->Prepare(prepare, device));
  return std::unique_ptr<Executable>(std::move(executable));
}

}  // namespace slipway::runtime
