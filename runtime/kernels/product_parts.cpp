// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/product_parts.h"

#include <algorithm>

#include "runtime/kernels/matmul.h"
#include "runtime/work.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;

/// So many rows are worth reading all of B.
constexpr std::int64_t kLeastRows = 128;

memory::dims StridesOf(const memory::desc& desc) {
  const auto& strides = desc.data.format_desc.blocking.strides;
  return {strides, strides + desc.data.ndims};
}

bool LiesInBlocks(const memory::desc& desc) {
  return desc.data.format_desc.blocking.inner_nblks > 0;
}

/// Rows and columns of a part of [m, n], as its matrix B lies.
ProductPart PartOf(std::int64_t m, std::int64_t k, std::int64_t n, bool in_blocks, double most) {
  const double row = 2.0 * static_cast<double>(k) * static_cast<double>(n);
  const std::int64_t rows = StepsWithin(m, row, most);
  if (in_blocks && rows >= kLeastRows) return {rows, n};
  return PartOfProduct(m, k, n, most);
}

/// How much of the output takes no more than about `most` operations.
memory::dims SizeWithin(const ProductDescs& whole, double most) {
  memory::dims size = whole.y.dims();
  const std::int64_t k = whole.a.dims().back();
  const std::size_t rank = size.size();
  double inner = 2.0 * static_cast<double>(k);
  for (const std::int64_t dim : size) inner *= static_cast<double>(dim);
  for (std::size_t d = 0; d + 2 < rank; ++d) {
    inner /= static_cast<double>(size[d]);
    size[d] = StepsWithin(size[d], inner, most);
    if (size[d] > 1) return size;
  }
  const ProductPart part = PartOf(size[rank - 2], k, size[rank - 1], LiesInBlocks(whole.b), most);
  size[rank - 2] = part.rows;
  size[rank - 1] = part.columns;
  return size;
}

memory::dims DenseStrides(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (std::size_t d = dims.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

}  // namespace

ProductParts::ProductParts(const ProductDescs& whole, double at_once)
    : whole_(whole),
      size_(SizeWithin(whole, at_once)),
      a_(StridesOf(whole.a)),
      b_(StridesOf(whole.b)),
      y_(StridesOf(whole.y)),
      apart_(LiesInBlocks(whole.b) && size_.back() < whole.y.dims().back()) {
  const std::int64_t all = whole.y.dims().back();
  for (std::int64_t at = 0; at < all; at += size_.back()) {
    Columns columns{.begin = at, .count = std::min(size_.back(), all - at)};
    columns.b = Of(columns).data.offset0;
    columns_.push_back(columns);
  }
}

memory::desc ProductParts::Of(const Columns& columns) const {
  memory::dims dims = whole_.b.dims();
  memory::dims first(dims.size(), 0);
  for (std::size_t d = 0; d + 2 < dims.size(); ++d) dims[d] = std::min(dims[d], size_[d]);
  dims.back() = columns.count;
  first.back() = columns.begin;
  return whole_.b.submemory_desc(dims, first);
}

ProductDescs ProductParts::Descs(const Columns& columns) const {
  memory::dims y = size_;
  y.back() = columns.count;
  if (y == whole_.y.dims()) return whole_;
  memory::dims a = whole_.a.dims();
  for (std::size_t d = 0; d + 1 < a.size(); ++d) a[d] = std::min(a[d], size_[d]);
  ProductDescs part{.a = {a, memory::data_type::f32, a_},
                    .b = Of(columns),
                    .y = {y, memory::data_type::f32, apart_ ? DenseStrides(y) : y_}};
  part.b.data.offset0 = 0;
  if (!whole_.has_bias()) return part;
  memory::dims bias = whole_.bias.dims();
  bias.back() = columns.count;
  part.bias = {bias, memory::data_type::f32, StridesOf(whole_.bias)};
  return part;
}

bool ProductParts::Advance(memory::dims& start) const {
  const memory::dims all = whole_.y.dims();
  const std::size_t rank = all.size();
  for (std::size_t turn = 0; turn < rank; ++turn) {
    const std::size_t d = turn == 0 ? rank - 2 : turn == 1 ? rank - 1 : rank - 1 - turn;
    if (start[d] + size_[d] < all[d]) {
      start[d] += size_[d];
      if (d + 1 < rank) start[d] = std::min(start[d], all[d] - size_[d]);
      return true;
    }
    start[d] = 0;
  }
  return false;
}

ProductParts::Place ProductParts::PlaceOf(const memory::dims& start) const {
  const std::size_t rank = start.size();
  const memory::dims a = whole_.a.dims();
  const memory::dims b = whole_.b.dims();
  const auto column = static_cast<std::size_t>(start.back() / size_.back());
  Place at{.a = start[rank - 2] * a_[rank - 2],
           .b = columns_[column].b,
           .bias = start[rank - 1],
           .column = column};
  for (std::size_t d = 0; d < rank; ++d) {
    at.y += start[d] * y_[d];
    if (d + 2 >= rank) continue;
    at.a += a[d] == 1 ? 0 : start[d] * a_[d];
    at.b += b[d] == 1 ? 0 : start[d] * b_[d];
  }
  return at;
}

}  // namespace slipway::runtime
