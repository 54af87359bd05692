// SPDX-License-Identifier: Apache-2.0
// ReverseSequence: opsets 10, 28.
// Spec: https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<bool> BatchFirst(const NodeFacts& node) {
  const std::int64_t batch = node.attributes.Int("batch_axis", 1);
  const std::int64_t time = node.attributes.Int("time_axis", 0);
  if (batch + time != 1 || (batch != 0 && batch != 1)) {
    return Invalid("attributes `batch_axis` ", batch, " and `time_axis` ", time,
                   " are not 0 and 1");
  }
  return batch == 0;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() < 2) return Invalid("input of ", x, " has not two dimensions");
  const std::int64_t batch = x[TRY(BatchFirst(node)) ? 0 : 1];
  if (node.shape(1) != Shape{batch}) {
    return Invalid("input `sequence_lens` of ", node.shape(1), " is not [", batch, "]");
  }
  return InferSame(node);
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const bool batch_first = TRY(BatchFirst(node));
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  if (x.size() == 0) return {};
  const std::int64_t batch = x.dim(batch_first ? 0 : 1);
  const std::int64_t steps = x.dim(batch_first ? 1 : 0);
  const std::int64_t inner = x.size() / (batch * steps);
  const std::vector<std::int64_t> lengths = IntsOf(context.input(1));
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t length = lengths[At(b)];
    if (length < 0 || length > steps) {
      return Invalid("sequence length ", length, " out of range [0, ", steps, "]");
    }
    const auto place = [&](std::int64_t t) {
      return (batch_first ? b * steps + t : t * batch + b) * inner;
    };
    for (std::int64_t t = 0; t < steps; ++t) {
      CopyElements(x, place(t < length ? length - 1 - t : t), y, place(t), inner);
    }
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "reverse_sequence", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "ReverseSequence",
          .since = since,
          .signature = "input:T, sequence_lens:int64 -> Y:T",
          .types = types,
          .attributes = "batch_axis:int=1, time_axis:int=0",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_reverse_sequence() {
  static constexpr auto kOps = Versions({Row(10, kT<kClassicTypes>), Row(28, kT<kTypes13>)});
  return kOps;
}

}  // namespace slipway::runtime
