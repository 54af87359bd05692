// SPDX-License-Identifier: Apache-2.0
// Concat: opsets 1 (axis defaults to 1), 4, 11, 13.
// Spec: https://onnx.ai/onnx/operators/onnx__Concat.html
#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  Shape shape = node.shape(0);
  const std::int64_t rank = RankOf(shape);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 1), rank)));
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) return Invalid("input ", i, " is left out");
    const Shape& other = node.shape(i);
    bool fits = other.size() == shape.size();
    for (std::size_t d = 0; fits && d < shape.size(); ++d) fits = d == axis || other[d] == shape[d];
    if (!fits) {
      return Invalid("input ", i, " of shape ", other, " does not join ", node.shape(0),
                     " along axis ", axis);
    }
    shape[axis] = TRY(CheckedAdd(shape[axis], other[axis], "the joined dimension"));
  }
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  Tensor& out = context.output(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 1), out.rank())));
  const std::int64_t outer = CountOf(out.shape(), 0, axis);
  const std::int64_t row = CountOf(out.shape(), axis, out.shape().size());
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < context.inputs(); ++i) {
    const Tensor& in = *context.input(i);
    const std::int64_t piece = CountOf(in.shape(), axis, in.shape().size());
    // The plan may have placed it where it is to be.
    if (outer == 1 && LiesAt(in, out, offset)) {
      offset += piece;
      continue;
    }
    CopyBox(context,
            {.dims = {outer, piece}, .from = {piece, 1}, .to = {row, 1}, .to_offset = offset}, in,
            out);
    offset += piece;
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "concat", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Concat",
          .since = since,
          .signature = "inputs*:T -> concat_result:T",
          .types = types,
          .attributes = since < 4 ? "axis:int=1" : "axis!:int",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_concat() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>),
      Row(4, kT<kClassicTypes>),
      Row(11, kT<kClassicTypes>),
      Row(13, kT<kTypes13>),
  });
  return kOps;
}

}  // namespace slipway::runtime
