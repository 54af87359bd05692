// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/matmul.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/work.h"

namespace slipway::runtime {
namespace {

/// The least number of whole blocks that has so many, but no more than all.
std::int64_t InBlocks(std::int64_t part, std::int64_t block, std::int64_t all) {
  return std::min(all, (part + block - 1) / block * block);
}

/// As many of `count` as fit `most`, in parts that are nearly equal.
std::int64_t EvenPart(std::int64_t count, double most) {
  return StepsWithin(count, 1, std::max(1.0, most));
}

}  // namespace

ProductPart PartOfProduct(std::int64_t m, std::int64_t k, std::int64_t n, double most) {
  constexpr std::int64_t kRowBlock = 8;
  constexpr std::int64_t kColumnBlock = 64;
  const auto rows = static_cast<double>(std::max<std::int64_t>(m, 1));
  const double elements = most / (2.0 * static_cast<double>(std::max<std::int64_t>(k, 1)));
  if (rows * static_cast<double>(n) <= elements) return {m, n};
  const double columns = std::max(std::sqrt(elements), elements / rows);
  ProductPart part{m, InBlocks(EvenPart(n, columns), kColumnBlock, n)};
  part.rows = EvenPart(m, elements / static_cast<double>(part.columns));
  if (part.rows >= kRowBlock) part.rows = InBlocks(part.rows, kRowBlock, m);
  return part;
}

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

Result<GemmShape> GemmShapeOf(const NodeFacts& node, std::size_t b_input) {
  const Shape& a = node.shape(0);
  const Shape& b = node.shape(b_input);
  if (a.size() != 2 || b.size() != 2)
    return Invalid("operands of ", a, " and ", b, " are no matrices");
  const bool trans_a = node.attributes.Int("transA", 0) != 0;
  const bool trans_b = node.attributes.Int("transB", 0) != 0;
  if (a[trans_a ? 0 : 1] != b[trans_b ? 1 : 0]) {
    return Invalid("matrices of ", a, " and ", b, " do not multiply");
  }
  return GemmShape{a[trans_a ? 1 : 0], a[trans_a ? 0 : 1], b[trans_b ? 0 : 1], trans_a, trans_b};
}

}  // namespace slipway::runtime
