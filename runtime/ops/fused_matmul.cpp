// SPDX-License-Identifier: Apache-2.0
// slipway.MatMul: activation(A x B + C), C one row or absent, A and B rounded as `precision` lets
// them be. The passes `fuse_matmul`, `products_bf16` and `products_int8` put it into plans; models
// cannot name its domain.
#include <utility>

#include "runtime/kernels/delegate.h"
#include "runtime/kernels/finished_product.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

bool TransposesB(const NodeFacts& node) { return node.attributes.Int("transB", 0) != 0; }

Result<Facts> Infer(const NodeFacts& node) {
  TRY(ConvActivationOf(node));
  Shape b = node.shape(1);
  if (TransposesB(node)) {
    if (b.size() != 2) return Invalid("B of ", b, " is no matrix that could be transposed");
    std::swap(b[0], b[1]);
  }
  Shape y = TRY(MatMulShapeOf(node.shape(0), b)).output;
  if (node.Has(2) && (y.empty() || node.shape(2).empty() || node.shape(2).back() != y.back() ||
                      CountOf(node.shape(2), 0, node.shape(2).size()) != y.back())) {
    return Invalid("C of ", node.shape(2), " is no row of ", y);
  }
  return Facts{TensorFacts(node.dtype(0), std::move(y))};
}

Result<std::unique_ptr<Executable>> PrepareReference(const NodeFacts& node, DeviceContext& device) {
  const ConvActivation activation = TRY(ConvActivationOf(node));
  const ProductFinish finish{
      .row = node.Has(2) && !TransposesB(node),
      .activation = activation,
      .alpha = static_cast<double>(node.attributes.Float("activation_alpha", 0)),
      .beta = static_cast<double>(node.attributes.Float("activation_beta", 0))};
  auto product =
      TRY(PrepareNode(AsNodeOf(node, "", TransposesB(node) ? "Gemm" : "MatMul", 13), true, device));
  return FinishedProduct(node, std::move(product), finish);
}

constexpr Kernel kKernels[] = {
    {.name = "matmul_bf16", .declines = DeclineMatMulBf16, .prepare = PrepareMatMulLow},
    {.name = "matmul_int8", .declines = DeclineMatMulInt8, .prepare = PrepareMatMulLow},
    {.name = "matmul_small", .declines = DeclineMatMulSmall, .prepare = PrepareMatMulSmall},
    {.name = "matmul_fused_dnnl", .declines = DeclineMatMulDnnl, .prepare = PrepareFusedMatMulDnnl},
    {.name = "matmul_fused_reference", .prepare = PrepareReference}};

}  // namespace

OpList ops_fused_matmul() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "MatMul",
            .domain = "slipway",
            .signature = "A:T, B:T, C?:T -> Y:T",
            .types = kT<kFloatTypes>,
            .attributes = "activation:string, activation_alpha:float, activation_beta:float, "
                          "precision:string, transB:int=0",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
