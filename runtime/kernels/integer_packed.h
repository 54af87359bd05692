// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>

#include "runtime/bounds.h"
#include "runtime/op.h"

/// Exact products of 8-bit matrices on 16-bit numbers that lie as vectors want them.
namespace slipway::runtime {

/// Elements of an 8-bit tensor less a zero point.
using WideNumbers = CountedVector<std::int16_t>;

/// The elements of an 8-bit tensor; none for null.
std::vector<std::int32_t> BytesOf(const Tensor* tensor);

/// A matrix [depth, width] laid out for Multiply, padded with zeros.
class PackedBytes {
 public:
  /// Of matrix number `matrix` of an 8-bit tensor [..., depth, width]. `zeros`: one for each
  /// column, one for all, or none.
  static PackedBytes Pack(const Tensor& from, std::int64_t matrix,
                          std::span<const std::int32_t> zeros);

  std::int64_t depth() const { return depth_; }
  std::int64_t width() const { return width_; }
  /// Numbers of a row that is multiplied with it, and of one of sums.
  std::int64_t row_numbers() const { return 2 * pairs_; }
  std::int64_t columns() const { return columns_; }

  /// Writes rows [row, row + rows) into `a`, each of row_numbers(): zeros behind the depth.
  using Fill = std::function<void(std::int64_t row, std::int64_t rows, std::int16_t* a)>;
  /// Takes their sums, rows of columns().
  using Store = std::function<void(std::int64_t row, std::int64_t rows, const std::int32_t* sums)>;
  /// The product of `rows` rows, some at a time, on the threads of `context`.
  void Product(KernelContext& context, std::int64_t rows, const Fill& fill,
               const Store& store) const;

 private:
  std::int64_t depth_ = 0, width_ = 0, pairs_ = 0, columns_ = 0;
  WideNumbers numbers_;
};

/// `count` elements of an 8-bit tensor from `offset` on, less `zero`.
void Widen(const Tensor& from, std::int64_t offset, std::int64_t count, std::int32_t zero,
           std::int16_t* to);

}  // namespace slipway::runtime
