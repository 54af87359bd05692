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

/// Gemm by oneDNN where alpha and beta are 1 and C is a row or absent.
std::string DeclineGemmDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareGemmDnnl(const NodeFacts& node, DeviceContext& device);

/// Gemm by oneDNN's BLAS function, for all float32.
std::string DeclineGemmBlas(const NodeFacts& node);
Result<void> RunGemmBlas(const NodeFacts& node, KernelContext& context);

}  // namespace slipway::runtime
