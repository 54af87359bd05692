// SPDX-License-Identifier: Apache-2.0
// Trilu (opset 14), EyeLike (9, 22).
// Spec: https://onnx.ai/onnx/operators/onnx__Trilu.html, onnx__EyeLike.html
#include <algorithm>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferTrilu(const NodeFacts& node) {
  if (node.shape(0).size() < 2) return Invalid("input of ", node.shape(0), " is no matrix");
  if (node.Has(1) && CountOf(node.shape(1), 0, node.shape(1).size()) != 1) {
    return Invalid("input `k` of ", node.shape(1), " is not one number");
  }
  return InferSame(node);
}

Result<void> RunTrilu(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  Tensor& out = context.output(0);
  FillWith(out, nullptr);
  const std::int64_t columns = in.shape().back();
  const std::int64_t rows = in.shape()[in.shape().size() - 2];
  const bool upper = node.attributes.Int("upper", 1) != 0;
  std::int64_t k = node.Has(1) ? context.input(1)->data<std::int64_t>()[0] : 0;
  k = std::clamp(k, -rows, columns);
  const std::int64_t total = columns == 0 ? 0 : in.size() / columns;
  for (std::int64_t row = 0; row < total; ++row) {
    const std::int64_t diagonal = std::clamp<std::int64_t>(row % rows + k, -1, columns);
    const std::int64_t begin = upper ? std::max<std::int64_t>(diagonal, 0) : 0;
    const std::int64_t end = upper ? columns : std::min(diagonal + 1, columns);
    CopyElements(in, row * columns + begin, out, row * columns + begin,
                 std::max<std::int64_t>(0, end - begin));
  }
  return {};
}

Result<Facts> InferEyeLike(const NodeFacts& node) {
  if (node.shape(0).size() != 2) return Invalid("input of ", node.shape(0), " is no matrix");
  const std::int64_t number = node.attributes.Int("dtype", static_cast<int>(node.dtype(0)));
  const DType dtype = TRY(DTypeFromNumber(number));
  if (!node.op->types[1].dtypes.Has(dtype)) return Invalid("attribute `dtype` is ", dtype);
  return Facts{TensorFacts(dtype, node.shape(0))};
}

Result<void> RunEyeLike(const NodeFacts& node, KernelContext& context) {
  Tensor& out = context.output(0);
  FillWith(out, nullptr);
  const Tensor one = Tensor::FromVector(DType::kFloat32, {}, std::vector<float>{1});
  Tensor value = TRY(Tensor::Make(out.dtype(), {}));
  TRY(ConvertElements(context, one, value));
  const std::int64_t rows = out.dim(0);
  const std::int64_t columns = out.dim(1);
  const std::int64_t k = std::clamp(node.attributes.Int("k", 0), -rows, columns);
  for (std::int64_t row = 0; row < rows && columns > 0; ++row) {
    const std::int64_t column = row + k;
    if (column >= 0 && column < columns) CopyElements(value, 0, out, row * columns + column, 1);
  }
  return {};
}

constexpr Kernel kTrilu[] = {{.name = "trilu", .run = RunTrilu}};
constexpr Kernel kEyeLike[] = {{.name = "eye_like", .run = RunEyeLike}};

consteval OpDef EyeLike(int since, std::span<const TypeRule> types) {
  return {.type = "EyeLike",
          .since = since,
          .signature = "input:T1 -> output:T2",
          .types = types,
          .attributes = "dtype:int, k:int=0",
          .infer = InferEyeLike,
          .kernels = kEyeLike};
}

constexpr DTypeSet kEye9 = kNumericTypes | kBoolType;
constexpr DTypeSet kEye22 = kNumericTypesB | kBoolType;

}  // namespace

OpList ops_trilu() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "Trilu",
            .since = 14,
            .signature = "input:T, k?:int64 -> output:T",
            .types = kT<kTypes13>,
            .attributes = "upper:int=1",
            .infer = InferTrilu,
            .kernels = kTrilu},
      EyeLike(9, kT1T2<kEye9, kEye9>),
      EyeLike(22, kT1T2<kEye22, kEye22>),
  });
  return kOps;
}

}  // namespace slipway::runtime
