// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/matmul.h"

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<MatMulShape> MatMulShapeOf(const Shape& a, const Shape& b) {
  if (a.empty() || b.empty()) return Invalid("scalars do not multiply: ", a, " and ", b);
  MatMulShape shape{.a = a, .b = b, .batch = {}, .output = {}};
  if (a.size() == 1) shape.a.insert(shape.a.begin(), 1);
  if (b.size() == 1) shape.b.push_back(1);
  shape.m = shape.a[shape.a.size() - 2];
  shape.k = shape.a.back();
  shape.n = shape.b.back();
  if (shape.b[shape.b.size() - 2] != shape.k) {
    return Invalid("matrices of ", a, " and ", b, " do not multiply");
  }
  shape.batch = TRY(BroadcastShapes(Shape(shape.a.begin(), shape.a.end() - 2),
                                    Shape(shape.b.begin(), shape.b.end() - 2)));
  shape.output = shape.batch;
  if (a.size() > 1) shape.output.push_back(shape.m);
  if (b.size() > 1) shape.output.push_back(shape.n);
  return shape;
}

}  // namespace slipway::runtime
