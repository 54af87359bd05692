// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/integer_patches.h"

#include <algorithm>

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

std::vector<std::int64_t> CoordinatesOf(std::int64_t at, const Shape& dims) {
  std::vector<std::int64_t> coordinates(dims.size());
  for (std::size_t d = dims.size(); d-- > 0;) {
    coordinates[d] = at % dims[d];
    at /= dims[d];
  }
  return coordinates;
}

}  // namespace

IntegerPatches::IntegerPatches(const ConvShape& shape)
    : window_(shape.window),
      channels_(shape.in_channels / shape.groups),
      depth_(channels_ * shape.window.kernel_size()) {
  for (std::int64_t i = 0; i < window_.kernel_size(); ++i) {
    positions_.push_back(CoordinatesOf(i, window_.kernel));
  }
}

std::vector<IntegerPatches::Segment> IntegerPatches::Segments(std::int64_t begin,
                                                              std::int64_t count) const {
  std::vector<Segment> segments;
  const std::int64_t width = window_.output.back();
  for (std::int64_t done = 0; done < count;) {
    Segment segment{.column = done, .count = 0, .at = CoordinatesOf(begin + done, window_.output)};
    segment.count = std::min(count - done, width - segment.at.back());
    done += segment.count;
    segments.push_back(std::move(segment));
  }
  return segments;
}

std::int64_t IntegerPatches::PlaneRow(const Segment& segment,
                                      const std::vector<std::int64_t>& kernel) const {
  std::int64_t row = 0;
  for (std::size_t d = 0; d + 1 < kernel.size(); ++d) {
    const std::int64_t at = segment.at[d] * window_.strides[d] - window_.pads_begin[d] +
                            kernel[d] * window_.dilations[d];
    if (at < 0 || at >= window_.input[d]) return -1;
    row = row * window_.input[d] + at;
  }
  return row * window_.input.back();
}

void IntegerPatches::PiecesOf(std::int64_t begin, std::int64_t count,
                              std::vector<Piece>& pieces) const {
  const std::int64_t width = window_.input.back();
  const std::int64_t stride = window_.strides.back();
  pieces.clear();
  for (const Segment& segment : Segments(begin, count)) {
    for (std::int64_t position = 0; position < window_.kernel_size(); ++position) {
      const auto& kernel = positions_[At(position)];
      const std::int64_t row = PlaneRow(segment, kernel);
      if (row < 0) continue;
      const std::int64_t first = segment.at.back() * stride - window_.pads_begin.back() +
                                 kernel.back() * window_.dilations.back();
      const std::int64_t skip = first >= 0 ? 0 : (stride - 1 - first) / stride;
      const std::int64_t past =
          first >= width ? 0 : std::min(segment.count, (width - 1 - first) / stride + 1);
      if (past <= skip) continue;
      pieces.push_back({.position = position,
                        .from = row + first + skip * stride,
                        .stride = stride,
                        .count = past - skip,
                        .column = segment.column + skip});
    }
  }
}

template <class T>
void IntegerPatches::Gather(const T* x, std::int32_t zero, std::span<const Piece> pieces,
                            std::int64_t columns, std::int16_t* to) const {
  const std::int64_t kernel_size = window_.kernel_size();
  const std::int64_t plane = window_.input_size();
  std::fill_n(to, pairs() * columns * 2, std::int16_t{0});
  for (std::int64_t c = 0; c < channels_; ++c, x += plane) {
    for (const Piece& piece : pieces) {
      const std::int64_t k = c * kernel_size + piece.position;
      const T* from = x + piece.from;
      std::int16_t* out = to + (k / 2 * columns + piece.column) * 2 + k % 2;
      for (std::int64_t j = 0; j < piece.count; ++j, from += piece.stride, out += 2) {
        *out = static_cast<std::int16_t>(*from - zero);
      }
    }
  }
}

template void IntegerPatches::Gather(const std::int8_t*, std::int32_t, std::span<const Piece>,
                                     std::int64_t, std::int16_t*) const;
template void IntegerPatches::Gather(const std::uint8_t*, std::int32_t, std::span<const Piece>,
                                     std::int64_t, std::int16_t*) const;

}  // namespace slipway::runtime
