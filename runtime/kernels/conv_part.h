// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {

/// A part of a convolution, or of its transpose, that one call computes: some items of the batch,
/// or some rows of the output of one (positions along the first spatial dimension), and the rows of
/// the input that they come from.
struct ConvPart {
  std::int64_t item = 0, items = 0;
  std::int64_t row = 0, rows = 0;  ///< of the output
  std::int64_t input_row = 0, input_rows = 0;
  std::int64_t pad_begin = 0, pad_end = 0;  ///< along the first spatial dimension

  /// Whether one primitive serves both.
  bool Like(const ConvPart& other) const {
    return items == other.items && rows == other.rows && input_rows == other.input_rows &&
           pad_begin == other.pad_begin && pad_end == other.pad_end;
  }
};

/// `shape` with `items` first and `rows` in the first spatial dimension.
inline Shape PartShape(Shape shape, std::int64_t items, std::int64_t rows) {
  shape[0] = items;
  shape[2] = rows;
  return shape;
}

/// A part of that shape of a row-major tensor, without leaving it.
inline dnnl::memory::desc RowMajorPart(const Shape& whole, const Shape& part) {
  const dnnl::memory::desc desc = PlainDesc(whole);
  const auto& strides = desc.data.format_desc.blocking.strides;
  return {part, dnnl::memory::data_type::f32, dnnl::memory::dims(strides, strides + whole.size())};
}

}  // namespace slipway::runtime
