// SPDX-License-Identifier: Apache-2.0
// Identity: opsets 1, 13, 14 (sequences), 16 (optionals), 19, 21, 23, 24, 25.
// Spec: https://onnx.ai/onnx/operators/onnx__Identity.html
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) { return Facts{node.inputs[0]}; }

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor* tensor = context.input(0);
  if (tensor != nullptr && node.outputs[0].shape) {
    CopyAll(*tensor, context.output(0));
  } else {
    context.Set(0, context.input_value(0));
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "identity", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types = {}) {
  return {.type = "Identity",
          .since = since,
          .signature = since < 14 ? "input:T -> output:T" : "input:any -> output:any",
          .types = types,
          .infer = Infer,
          .kernels = kKernels,
          .view = true};
}

}  // namespace

OpList ops_identity() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kClassicTypes>),
      Row(13, kT<kTypes13>),
      Row(14),
      Row(16),
      Row(19),
      Row(21),
      Row(23),
      Row(24),
      Row(25),
  });
  return kOps;
}

}  // namespace slipway::runtime
