// SPDX-License-Identifier: Apache-2.0
// OneHot: opsets 9, 11 (negative indices), 28.
// Spec: https://onnx.ai/onnx/operators/onnx__OneHot.html
// Opset 9 takes negative indices too.
#include <cmath>

#include "base/limits.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Elements as int64; fractions are cut off.
Result<Tensor> AsInts(KernelContext& context, const Tensor& tensor) {
  Tensor ints = TRY(Tensor::Make(DType::kInt64, tensor.shape()));
  TRY(ConvertElements(context, tensor, ints));
  return ints;
}

Result<Facts> Infer(const NodeFacts& node) {
  const std::int64_t rank = RankOf(node.shape(0)) + 1;
  TRY(NormalizeAxis(node.attributes.Int("axis", -1), rank));
  if (CountOf(node.shape(1), 0, node.shape(1).size()) != 1) {
    return Invalid("input `depth` of ", node.shape(1), " is no scalar");
  }
  if (node.shape(2) != Shape{2}) return Invalid("input `values` of ", node.shape(2), " is not [2]");
  const std::vector<std::int64_t> depth =
      ConstantInts(node, 1).value_or(std::vector<std::int64_t>{});
  if (depth.size() != 1) return Facts{TensorFacts(node.dtype(2))};
  if (depth[0] < 1) return Invalid("input `depth` is ", depth[0]);
  Shape shape = node.shape(0);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", -1), rank));
  shape.insert(shape.begin() + axis, depth[0]);
  return Facts{TensorFacts(node.dtype(2), std::move(shape))};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor indices = TRY(AsInts(context, *context.input(0)));
  const std::int64_t depth = TRY(AsInts(context, *context.input(1))).data<std::int64_t>()[0];
  const Tensor& values = *context.input(2);
  if (depth < 1) return Invalid("input `depth` is ", depth);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", -1), indices.rank() + 1));
  Shape shape = indices.shape();
  shape.insert(shape.begin() + axis, depth);
  Tensor* out = TRY(OutputOf(node, context, 0, values.dtype(), shape));
  FillWith(*out, &values);
  const std::int64_t inner = CountOf(shape, At(axis) + 1, shape.size());
  const auto at = indices.data<std::int64_t>();
  TextMeter meter;
  for (std::int64_t i = 0; i < indices.size(); ++i) {
    std::int64_t index = at[At(i)];
    if (index < -depth || index >= depth) continue;
    if (index < 0) index += depth;
    CopyElements(values, 1, *out, (i / inner * depth + index) * inner + i % inner, 1, &meter);
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "one_hot", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "OneHot",
          .since = since,
          .signature = "indices:T1, depth:T2, values:T3 -> output:T3",
          .types = types,
          .attributes = "axis:int=-1",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_onehot() {
  static constexpr auto kOps = Versions({
      Row(9, kT1T2T3<kNumericTypes, kNumericTypes, kClassicTypes>),
      Row(11, kT1T2T3<kNumericTypes, kNumericTypes, kClassicTypes>),
      Row(28, kT1T2T3<kNumericTypes, kNumericTypes, kTypes13>),
  });
  return kOps;
}

}  // namespace slipway::runtime
