// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/op.h"

namespace slipway::runtime {

/// A batched matrix product by NumPy's rules: vectors become matrices, batches broadcast.
struct MatMulShape {
  Shape a, b;   ///< with at least two dimensions
  Shape batch;  ///< of the output
  std::int64_t m = 0, k = 0, n = 0;
  Shape output;  ///< without the dimensions that vectors were given
};

/// kInvalidArgument naming the shapes that do not multiply.
Result<MatMulShape> MatMulShapeOf(const Shape& a, const Shape& b);

/// Rows and columns of a product that are computed together.
struct ProductPart {
  std::int64_t rows, columns;
};

/// A part of [m, n] from [m, k] and [k, n] that takes no more than about `most` operations, as
/// square as may be: such parts read the least of the operands. All parts are nearly equal; columns
/// are cut between blocks of 64.
ProductPart PartOfProduct(std::int64_t m, std::int64_t k, std::int64_t n, double most);

/// Gemm's product of two matrices, either of them transposed by attribute `transA` or `transB`.
struct GemmShape {
  std::int64_t m, k, n;
  bool trans_a, trans_b;
};

/// Of inputs 0 and `b`. kInvalidArgument naming the shapes that do not multiply.
Result<GemmShape> GemmShapeOf(const NodeFacts& node, std::size_t b = 1);

/// oneDNN's matrix product for float32.
std::string DeclineMatMulDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulDnnl(const NodeFacts& node, DeviceContext& device);

/// The same for `slipway.MatMul`: a row is added, and an activation applied, as sums are stored.
Result<std::unique_ptr<Executable>> PrepareFusedMatMulDnnl(const NodeFacts& node,
                                                           DeviceContext& device);

/// The same with what is multiplied in bfloat16 or in bytes, as attribute `precision` asks.
std::string DeclineMatMulBf16(const NodeFacts& node);
std::string DeclineMatMulInt8(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulLow(const NodeFacts& node, DeviceContext& device);
/// Whether `slipway.MatMul` would be quicker so, as follows from shapes and the processor's kind.
bool GainsByLowMatMul(const NodeFacts& node, Precision precision, DeviceContext& device);

/// MatMul, Gemm as DeclineGemmDnnl has it, and `slipway.MatMul` of a few rows and a small matrix
/// that is known, by loops of our own: done before oneDNN would have begun.
std::string DeclineMatMulSmall(const NodeFacts& node);
std::string DeclineGemmSmall(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulSmall(const NodeFacts& node,
                                                       DeviceContext& device);

/// Gemm by oneDNN where alpha and beta are 1 and C is a row or absent.
std::string DeclineGemmDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareGemmDnnl(const NodeFacts& node, DeviceContext& device);

/// Gemm by oneDNN's BLAS function, for all float32.
std::string DeclineGemmBlas(const NodeFacts& node);
Result<void> RunGemmBlas(const NodeFacts& node, KernelContext& context);

}  // namespace slipway::runtime
