// SPDX-License-Identifier: Apache-2.0
// Optional (opsets 15, 28), OptionalHasElement, OptionalGetElement (15, 18, 28).
// Spec: https://onnx.ai/onnx/operators/onnx__Optional.html and the pages of the others.
// An optional that holds something is what it holds.
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferOptional(const NodeFacts& node) {
  if (node.Has(0)) return Facts{node.inputs[0]};
  if (!node.attributes.Has("type"))
    return Invalid("neither an input nor attribute `type` is there");
  return Facts{ValueFacts{.kind = TypeInfo::Kind::kOptional}};
}

Result<void> RunSame(const NodeFacts& node, KernelContext& context) {
  const Tensor* tensor = node.Has(0) ? context.input(0) : nullptr;
  if (tensor != nullptr && node.outputs[0].shape) {
    CopyAll(*tensor, context.output(0));
  } else {
    context.Set(0, node.Has(0) ? context.input_value(0) : Value());
  }
  return {};
}

Result<Facts> InferHas(const NodeFacts&) { return Facts{TensorFacts(DType::kBool, {})}; }

Result<void> RunHas(const NodeFacts& node, KernelContext& context) {
  context.output(0).data<bool>()[0] = node.Has(0) && !context.input_value(0).is_none();
  return {};
}

Result<Facts> InferGet(const NodeFacts& node) {
  if (node.inputs[0].kind == TypeInfo::Kind::kOptional) return Invalid("the optional is empty");
  return Facts{node.inputs[0]};
}

constexpr Kernel kSame[] = {{.name = "identity", .run = RunSame}};
constexpr Kernel kHas[] = {{.name = "optional_has_element", .run = RunHas}};

consteval OpDef Make(int since) {
  return {.type = "Optional",
          .since = since,
          .signature = "input?:any -> output:any",
          .attributes = "type:type",
          .infer = InferOptional,
          .kernels = kSame,
          .view = true};
}

consteval OpDef Has(int since) {
  return {.type = "OptionalHasElement",
          .since = since,
          .signature = since < 18 ? "input:any -> output:bool" : "input?:any -> output:bool",
          .infer = InferHas,
          .kernels = kHas};
}

consteval OpDef Get(int since) {
  return {.type = "OptionalGetElement",
          .since = since,
          .signature = "input:any -> output:any",
          .infer = InferGet,
          .kernels = kSame,
          .view = true};
}

}  // namespace

OpList ops_optional() {
  static constexpr auto kOps = Versions({
      Make(15),
      Make(28),
      Has(15),
      Has(18),
      Has(28),
      Get(15),
      Get(18),
      Get(28),
  });
  return kOps;
}

}  // namespace slipway::runtime
