// SPDX-License-Identifier: Apache-2.0
// com.microsoft: QuantizeLinear, DequantizeLinear (1): those of ai.onnx 21 with more types.
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

NodeFacts AsStandard(const NodeFacts& node) { return AsNodeOf(node, "", node.op->type, 21); }

Result<Facts> Infer(const NodeFacts& node) {
  const NodeFacts standard = AsStandard(node);
  return standard.op->infer(standard);
}

template <bool reference>
Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, DeviceContext& device) {
  return PrepareNode(AsStandard(node), reference, device);
}

constexpr Kernel kKernels[] = {{.name = "standard", .prepare = Prepare<false>},
                               {.name = "standard_reference", .prepare = Prepare<true>}};

constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16});
constexpr DTypeSet kQuantized = Types(
    {DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16, DType::kInt4, DType::kUint4});

}  // namespace

OpList ops_ms_quantize() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "QuantizeLinear",
            .domain = "com.microsoft",
            .signature = "x:T1, y_scale:T1, y_zero_point?:T2 -> y:T2",
            .types = kT1T2<kHalf32, kQuantized>,
            .attributes = "axis:int",
            .infer = Infer,
            .kernels = kKernels},
      OpDef{.type = "DequantizeLinear",
            .domain = "com.microsoft",
            .signature = "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T2",
            .types = kT1T2<kQuantized | Types({DType::kInt32}), kHalf32>,
            .attributes = "axis:int",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
