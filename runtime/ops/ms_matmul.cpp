// SPDX-License-Identifier: Apache-2.0
// com.microsoft: FusedMatMul, TransposeMatMul (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// An operand of one dimension is not transposed.
#include <algorithm>
#include <numeric>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/integer_product.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/sgemm.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Dimensions of an operand in the order in which they are multiplied. A batch transposition
/// takes the first dimension to the rows.
std::vector<std::int64_t> OrderOf(const NodeFacts& node, std::size_t operand) {
  const std::int64_t rank = RankOf(node.shape(operand));
  std::vector<std::int64_t> order(At(rank));
  std::iota(order.begin(), order.end(), 0);
  if (rank < 2) return order;
  const bool first = operand == 0;
  if (node.attributes.Int(first ? "transBatchA" : "transBatchB", 0) != 0) {
    std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  }
  if (node.attributes.Int(first ? "transA" : "transB", 0) != 0) {
    std::swap(order[At(rank) - 2], order[At(rank) - 1]);
  }
  return order;
}

bool IsInOrder(const std::vector<std::int64_t>& order) { return std::ranges::is_sorted(order); }

Shape Permuted(const Shape& shape, const std::vector<std::int64_t>& order) {
  Shape permuted;
  for (const std::int64_t axis : order) permuted.push_back(shape[At(axis)]);
  return permuted;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape a = Permuted(node.shape(0), OrderOf(node, 0));
  const Shape b = Permuted(node.shape(1), OrderOf(node, 1));
  return Facts{TensorFacts(node.dtype(0), TRY(MatMulShapeOf(a, b)).output)};
}

/// The operand, its dimensions in order.
Result<Tensor> Ordered(const NodeFacts& node, KernelContext& context, std::size_t operand) {
  const Tensor& x = *context.input(operand);
  const std::vector<std::int64_t> order = OrderOf(node, operand);
  if (IsInOrder(order)) return x;
  Tensor y = TRY(Tensor::Make(x.dtype(), Permuted(x.shape(), order)));
  const Strides strides = ContiguousStrides(x.shape());
  Strides from;
  for (const std::int64_t axis : order) from.push_back(strides[At(axis)]);
  CopyBox(context, {.dims = y.shape(), .from = from, .to = ContiguousStrides(y.shape())}, x, y);
  return y;
}

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const Tensor a = TRY(Ordered(node, context, 0));
  const Tensor b = TRY(Ordered(node, context, 1));
  const Tensor wide_a = TRY(Converted(context, a, DType::kFloat64));
  const Tensor wide_b = TRY(Converted(context, b, DType::kFloat64));
  Tensor product = TRY(Product(context, wide_a, wide_b));
  const auto alpha = static_cast<double>(node.attributes.Float("alpha", 1));
  for (double& element : product.data<double>()) element *= alpha;
  return ConvertElements(context, product, context.output(0));
}

std::string DeclinePlain(const NodeFacts& node) {
  if (node.attributes.Float("alpha", 1) != 1) return "attribute `alpha` is not 1";
  const bool plain = IsInOrder(OrderOf(node, 0)) && IsInOrder(OrderOf(node, 1));
  return plain ? "" : "an operand is transposed";
}

Result<std::unique_ptr<Executable>> PreparePlain(const NodeFacts& node, DeviceContext& device) {
  return PrepareNode(AsNodeOf(node, "", "MatMul", 13), false, device);
}

std::string DeclineBlas(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "operands are not float32";
  if (node.shape(0).size() < 2 || node.shape(1).size() < 2) return "an operand is a vector";
  return *node.outputs[0].shape == Shape{} ? "the product is a scalar" : "";
}

/// One BLAS call for each matrix of the batch; transposed matrices are read as they lie.
Result<void> RunBlas(const NodeFacts& node, KernelContext& context) {
  const bool trans_a = node.attributes.Int("transA", 0) != 0;
  const bool trans_b = node.attributes.Int("transB", 0) != 0;
  NodeFacts batched = node;
  batched.attributes.Set("transA", std::int64_t{0});
  batched.attributes.Set("transB", std::int64_t{0});
  const Tensor a = TRY(Ordered(batched, context, 0));
  const Tensor b = TRY(Ordered(batched, context, 1));
  const Shape a_shape = Permuted(node.shape(0), OrderOf(node, 0));
  const Shape b_shape = Permuted(node.shape(1), OrderOf(node, 1));
  MatMulShape shape = TRY(MatMulShapeOf(a_shape, b_shape));
  return RunBatchedSgemm({.a = &a,
                          .b = &b,
                          .shape = std::move(shape),
                          .trans_a = trans_a,
                          .trans_b = trans_b,
                          .alpha = node.attributes.Float("alpha", 1)},
                         context.output(0));
}

constexpr Kernel kKernels[] = {
    {.name = "matmul", .declines = DeclinePlain, .prepare = PreparePlain},
    {.name = "fused_matmul_blas", .declines = DeclineBlas, .run = RunBlas},
    {.name = "fused_matmul_reference", .run = RunReference}};

}  // namespace

OpList ops_ms_matmul() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "FusedMatMul",
            .domain = "com.microsoft",
            .signature = "A:T, B:T -> Y:T",
            .types = kT<kFloatTypesB>,
            .attributes =
                "alpha:float=1.0, transA:int=0, transB:int=0, transBatchA:int=0, transBatchB:int=0",
            .infer = Infer,
            .kernels = kKernels},
      OpDef{.type = "TransposeMatMul",
            .domain = "com.microsoft",
            .signature = "A:T, B:T -> Y:T",
            .types = kT<kFloatTypesB>,
            .attributes = "alpha:float=1.0, transA:int=0, transB:int=0",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
