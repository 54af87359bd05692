// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/sgemm.h"

#include <algorithm>
#include <dnnl.hpp>

#include "runtime/bounds.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/work.h"

namespace slipway::runtime {
namespace {

/// That a product is likely to have, in what it computes at once.
constexpr int kThreads = 2;

}  // namespace

Result<void> Sgemm(const SgemmCall& call) {
  if (call.m == 0 || call.n == 0) return {};
  if (call.k == 0) {
    for (std::int64_t i = 0; i < call.m; ++i) {
      for (std::int64_t j = 0; j < call.n; ++j) {
        float& element = call.y[i * call.ldy + j];
        element = call.beta == 0 ? 0 : element * call.beta;
      }
    }
    return {};
  }
  const ProductPart part = PartOfProduct(call.m, call.k, call.n, WorkAtOnce(kThreads));
  for (std::int64_t column = 0; column < call.n; column += part.columns) {
    const float* b = call.b + column * (call.trans_b ? call.ldb : 1);
    for (std::int64_t row = 0; row < call.m; row += part.rows) {
      if (MustStop()) return {};
      const float* a = call.a + row * (call.trans_a ? 1 : call.lda);
      const dnnl_status_t status = dnnl_sgemm(
          call.trans_a ? 'T' : 'N', call.trans_b ? 'T' : 'N', std::min(part.rows, call.m - row),
          std::min(part.columns, call.n - column), call.k, call.alpha, a, call.lda, b, call.ldb,
          call.beta, call.y + row * call.ldy + column, call.ldy);
      if (status == dnnl_success) continue;
      return Error{.code = Code::kInternal,
                   .message = Message("oneDNN: sgemm: status ", int{status})};
    }
  }
  return {};
}

Result<void> RunBatchedSgemm(const BatchedSgemm& product, Tensor& y) {
  const MatMulShape& shape = product.shape;
  if (y.size() == 0) return {};
  const BroadcastPlan plan = PlanBroadcast(
      shape.batch,
      {Shape(shape.a.begin(), shape.a.end() - 2), Shape(shape.b.begin(), shape.b.end() - 2)});
  const float* a = product.a->data<float>().data();
  const float* b = product.b->data<float>().data();
  Result<void> done;
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
               for (std::int64_t i = 0; i < count && done; ++i) {
                 const std::int64_t a_at = from[0] + i * plan.inner_stride(0);
                 const std::int64_t b_at = from[1] + i * plan.inner_stride(1);
                 done = Sgemm({.a = a + a_at * shape.m * shape.k,
                               .b = b + b_at * shape.k * shape.n,
                               .y = y.data<float>().data() + (at + i) * shape.m * shape.n,
                               .m = shape.m,
                               .n = shape.n,
                               .k = shape.k,
                               .lda = product.trans_a ? shape.m : shape.k,
                               .ldb = product.trans_b ? shape.k : shape.n,
                               .ldy = shape.n,
                               .trans_a = product.trans_a,
                               .trans_b = product.trans_b,
                               .alpha = product.alpha});
               }
             });
  return done;
}

}  // namespace slipway::runtime
