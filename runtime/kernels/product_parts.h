// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/dnnl_helpers.h"

/// Matrix products of oneDNN in parts of bounded work; included by .cpp files only.
namespace slipway::runtime {

/// The float32 tensors of a product, with as many dimensions: a [..., m, k], b [..., k, n],
/// y [..., m, n]; bias [..., n], or empty where nothing is added. B may lie in blocks of k and n.
struct ProductDescs {
  dnnl::memory::desc a, b, y;
  dnnl::memory::desc bias = {};

  bool has_bias() const { return bias.data.ndims != 0; }
};

/// A product that is computed in parts, so that it can be ended between them. All have as many
/// rows, of which the last begin early enough; the last columns may be fewer. oneDNN's kernels for
/// a B in blocks write rows that lie one after the other: where B is so, parts have whole rows, or
/// are made apart from y if these would be too few to read all of B for.
class ProductParts {
 public:
  /// `at_once`: operations that need not be ended.
  ProductParts(const ProductDescs& whole, double at_once);

  /// Columns that are computed together.
  struct Columns {
    std::int64_t begin = 0, count = 0;
    std::int64_t b = 0;  ///< where they begin in B, in elements
  };
  const std::vector<Columns>& columns() const { return columns_; }
  std::int64_t rows() const { return size_[size_.size() - 2]; }
  bool apart() const { return apart_; }
  /// From one row of y to the next, in elements.
  std::int64_t row_step() const { return y_[y_.size() - 2]; }

  /// Of a part with those columns.
  ProductDescs Descs(const Columns& columns) const;

  /// Where a part's operands begin, in elements, and which of the columns() it has.
  struct Place {
    std::int64_t a = 0, b = 0, y = 0, bias = 0;
    std::size_t column = 0;
  };

  /// Runs `body` with the place of each part until the run is to end; those with the same columns
  /// one after the other.
  template <class Body>
  void ForEach(const Body& body) const {
    dnnl::memory::dims start(size_.size(), 0);
    do {
      if (MustStop()) return;
      body(PlaceOf(start));
    } while (Advance(start));
  }

 private:
  /// On to the next part; false after the last.
  bool Advance(dnnl::memory::dims& start) const;
  Place PlaceOf(const dnnl::memory::dims& start) const;
  /// Those of B, in as many matrices as a part has.
  dnnl::memory::desc Of(const Columns& columns) const;

  ProductDescs whole_;
  dnnl::memory::dims size_;       ///< of a part of the output
  dnnl::memory::dims a_, b_, y_;  ///< strides; those of blocks where B lies in blocks
  bool apart_;
  std::vector<Columns> columns_;
};

}  // namespace slipway::runtime
