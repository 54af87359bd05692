// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/matmul.h"
#include "runtime/op.h"

/// Products of float32 matrices by oneDNN's BLAS function.
namespace slipway::runtime {

/// y[m, n] = alpha * a * b + beta * y. Matrices are row-major with rows `lda`, `ldb`, `ldy`
/// elements apart; a transposed one is stored as [k, m] or [n, k].
struct SgemmCall {
  const float *a, *b;
  float* y;
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldy;
  bool trans_a = false, trans_b = false;
  float alpha = 1, beta = 0;
};
Result<void> Sgemm(const SgemmCall& call);

/// A batch of products whose batch dimensions broadcast. `shape` is that of the operands as they
/// are multiplied; a transposed one is stored with its last two dimensions exchanged.
struct BatchedSgemm {
  const Tensor *a, *b;
  MatMulShape shape;
  bool trans_a = false, trans_b = false;
  float alpha = 1;
};
Result<void> RunBatchedSgemm(const BatchedSgemm& product, Tensor& y);

}  // namespace slipway::runtime
