// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "runtime/kernels/conv.h"

namespace slipway::runtime {

/// Lays what the windows of a convolution cover side by side as Multiply wants its second matrix:
/// a row for each channel of a group and position in the kernel, a column for each position of the
/// output. Thread-safe.
class IntegerPatches {
 public:
  explicit IntegerPatches(const ConvShape& shape);

  std::int64_t pairs() const { return (depth_ + 1) / 2; }

  /// Positions of one channel that lie in a row, `stride` apart: where they are in its plane, and
  /// where they go for the first channel.
  struct Piece {
    std::int64_t position;  ///< of the kernel
    std::int64_t from, stride, count;
    std::int64_t column;
  };
  /// What columns [begin, begin + count) of the output are made of; the same for all images and
  /// groups.
  void PiecesOf(std::int64_t begin, std::int64_t count, std::vector<Piece>& pieces) const;

  /// Those pieces of one image's group, whose first channel is at `x`, less `zero`; in rows of
  /// `columns` columns. Positions in the padding, and an odd last row, are zeros.
  template <class T>
  void Gather(const T* x, std::int32_t zero, std::span<const Piece> pieces, std::int64_t columns,
              std::int16_t* to) const;

 private:
  /// Positions along the last dimension with all other coordinates the same.
  struct Segment {
    std::int64_t column, count;    ///< in the block
    std::vector<std::int64_t> at;  ///< coordinates of the first
  };
  std::vector<Segment> Segments(std::int64_t begin, std::int64_t count) const;
  /// Where in a channel's plane the kernel's position lies under a segment's coordinates but the
  /// last; less than 0 in the padding.
  std::int64_t PlaneRow(const Segment& segment, const std::vector<std::int64_t>& kernel) const;

  Window window_;
  std::int64_t channels_, depth_;
  std::vector<std::vector<std::int64_t>> positions_;  // coordinates of the kernel's positions
};

}  // namespace slipway::runtime
