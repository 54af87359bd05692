// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/integer_product.h"

#include <algorithm>

#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/quantize.h"

namespace slipway::runtime {

Shape ParameterShape(const Shape& parameter, bool of_rows) {
  Shape shape = parameter;
  if (of_rows && shape.size() == 1) shape.push_back(1);
  return shape;
}

Result<Tensor> Centered(KernelContext& context, const Tensor& x, const Tensor* zero_point,
                        bool of_rows) {
  Tensor wide = TRY(Tensor::Make(DType::kFloat64, x.shape()));
  TRY(ConvertElements(context, x, wide));
  if (zero_point == nullptr) return wide;
  const Tensor zero = TRY(Converted(context, *zero_point, DType::kFloat64));
  const Shape shape = ParameterShape(zero.shape(), of_rows);
  const Shape joined = TRY(BroadcastShapes(x.shape(), shape));
  if (joined != x.shape())
    return Invalid("the zero point of ", zero.shape(), " does not fit ", x.shape());
  const BroadcastPlan plan = PlanBroadcast(x.shape(), {shape});
  double* out = wide.data<double>().data();
  const double* from = zero.data<double>().data();
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& offset, std::int64_t count) {
               for (std::int64_t i = 0; i < count; ++i) {
                 out[at + i] -= from[offset[0] + i * plan.inner_stride(0)];
               }
             });
  return wide;
}

Result<Tensor> Product(KernelContext& context, const Tensor& a, const Tensor& b) {
  const MatMulShape shape = TRY(MatMulShapeOf(a.shape(), b.shape()));
  Tensor product = TRY(Tensor::Make(DType::kFloat64, shape.output));
  if (product.size() == 0) return product;
  const BroadcastPlan plan = PlanBroadcast(
      shape.batch,
      {Shape(shape.a.begin(), shape.a.end() - 2), Shape(shape.b.begin(), shape.b.end() - 2)});
  const std::int64_t m = shape.m;
  const std::int64_t k = shape.k;
  const std::int64_t n = shape.n;
  double* out = product.data<double>().data();
  context.ParallelFor(plan.size * m, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> from(2);
    for (std::int64_t row = begin; row < end; ++row) {
      plan.Locate(row / m / plan.inner(), from);
      const std::int64_t within = row / m % plan.inner();
      const double* left =
          a.data<double>().data() + (from[0] + within * plan.inner_stride(0)) * m * k + row % m * k;
      const double* right =
          b.data<double>().data() + (from[1] + within * plan.inner_stride(1)) * k * n;
      std::fill_n(out + row * n, n, 0.0);
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t j = 0; j < n; ++j) out[row * n + j] += left[i] * right[i * n + j];
      }
    }
  });
  return product;
}

}  // namespace slipway::runtime
