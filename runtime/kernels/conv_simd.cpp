// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_simd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/conv_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kLeastPositions>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
/// Of a row that are computed at once: with six rows as many sums as there are registers for.
constexpr int kVectors = kLanes >= 16 ? 4 : 2;

Vector Held(Vector x, Vector least, Vector most) {
  x = hn::IfThenElse(hn::Lt(x, least), least, x);
  return hn::IfThenElse(hn::Gt(x, most), most, x);
}

/// `rows` rows of `vectors` vectors, which begin at `at` but for the last, which begins at `last`.
template <int rows, int vectors>
HWY_INLINE void Tile(const PointwiseRows& p, std::int64_t row, std::int64_t at, std::int64_t last) {
  const Tag tag;
  Vector sums[rows][vectors];
  const auto place = [&](int v) { return v + 1 == vectors ? last : at + v * kLanes; };
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
    const Vector bias = hn::Set(tag, p.bias == nullptr ? 0.0F : p.bias[row + i]);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[i][v] = bias;
  }
  const float* w = p.w + row * p.k;
  const float* x = p.x;
  for (std::int64_t k = 0; k < p.k; ++k, x += p.n) {
    Vector in[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) in[v] = hn::LoadU(tag, x + place(v));
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vector weight = hn::Set(tag, w[i * p.k + k]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[i][v] = hn::MulAdd(weight, in[v], sums[i][v]);
    }
  }
  const Vector least = hn::Set(tag, p.bounds.least);
  const Vector most = hn::Set(tag, p.bounds.most);
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
    const std::int64_t line = (row + i) * p.y_stride;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      Vector sum = sums[i][v];
      if (p.z != nullptr) sum = hn::Add(sum, hn::LoadU(tag, p.z + line + place(v)));
      hn::StoreU(Held(sum, least, most), tag, p.y + line + place(v));
    }
  }
}

template <int vectors>
void AllRows(const PointwiseRows& p, std::int64_t at, std::int64_t last) {
  std::int64_t row = 0;
  for (; row + 6 <= p.m; row += 6) Tile<6, vectors>(p, row, at, last);
  if (row + 4 <= p.m) {
    Tile<4, vectors>(p, row, at, last);
    row += 4;
  }
  for (; row + 2 <= p.m; row += 2) Tile<2, vectors>(p, row, at, last);
  if (row < p.m) Tile<1, vectors>(p, row, at, last);
}

std::int64_t PointwiseVectors(std::int64_t n) { return (n + kLanes - 1) / kLanes; }

void RunPointwise(const PointwiseRows& p, std::int64_t first, std::int64_t last) {
  const std::int64_t all = last - first;
  const std::int64_t tiles = (all + kVectors - 1) / kVectors;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t begin = first + all * tile / tiles;
    const std::int64_t end = first + all * (tile + 1) / tiles;
    const std::int64_t ends_at = std::min((end - 1) * kLanes, p.n - kLanes);
    switch (end - begin) {
      case 1:
        AllRows<1>(p, begin * kLanes, ends_at);
        break;
      case 2:
        AllRows<2>(p, begin * kLanes, ends_at);
        break;
      case 3:
        AllRows<std::min(3, kVectors)>(p, begin * kLanes, ends_at);
        break;
      default:
        AllRows<kVectors>(p, begin * kLanes, ends_at);
    }
  }
}

/// The plane with its padding, row by row, and zeros after it for vectors that reach beyond.
struct Padded {
  std::int64_t height, width;
  explicit Padded(const DepthwisePlane& p)
      : height((p.height - 1) * p.stride + (p.kernel - 1) * p.dilation + 1),
        width((p.width - 1) * p.stride + (p.kernel - 1) * p.dilation + 1) {}
  std::int64_t size() const { return height * width + 2 * kLeastPositions; }
};

/// A row of `width` numbers: `left` zeros, `columns` numbers, zeros.
HWY_INLINE void FillRow(const float* from, std::int64_t columns, std::int64_t left, float* to,
                        std::int64_t width) {
  const Tag tag;
  const std::int64_t right = width - left - columns;
  if (columns >= kLanes && left <= kLanes && right <= kLanes) {
    // No calls: rows are short.
    hn::StoreU(hn::Zero(tag), tag, to);
    hn::StoreU(hn::Zero(tag), tag, to + width - kLanes);
    for (std::int64_t i = 0; i < columns; i += kLanes) {
      const std::int64_t at = std::min(i, columns - kLanes);
      hn::StoreU(hn::LoadU(tag, from + at), tag, to + left + at);
    }
    return;
  }
  std::fill_n(to, left, 0.0F);
  std::memcpy(to + left, from, static_cast<std::size_t>(columns) * sizeof(float));
  std::fill_n(to + left + columns, right, 0.0F);
}

void FillPadded(const DepthwisePlane& p, const Padded& padded, float* room) {
  const std::int64_t columns = std::clamp<std::int64_t>(padded.width - p.pad_left, 0, p.in_width);
  const std::int64_t left = std::min(p.pad_left, padded.width);
  float* to = room;
  for (std::int64_t i = 0; i < padded.height; ++i, to += padded.width) {
    const std::int64_t from = i - p.pad_top;
    if (from < 0 || from >= p.in_height) {
      std::fill_n(to, padded.width, 0.0F);
    } else {
      FillRow(p.x + from * p.in_width, columns, left, to, padded.width);
    }
  }
  std::fill_n(to, 2 * kLeastPositions, 0.0F);
}

/// Every number, or every second one.
template <int stride>
HWY_INLINE Vector Read(const float* from) {
  const Tag tag;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (stride == 2) {
    return hn::ConcatEven(tag, hn::LoadU(tag, from + kLanes), hn::LoadU(tag, from));
  }
#endif
  return hn::LoadU(tag, from);
}

/// Adds what is added, and writes a vector of the plane, or all of a row that is less than one, at
/// `place`.
HWY_INLINE void FinishDepthwise(const DepthwisePlane& p, Vector sum, std::int64_t place) {
  const Tag tag;
  const Vector least = hn::Set(tag, p.bounds.least), most = hn::Set(tag, p.bounds.most);
  if (p.width >= kLanes) {
    if (p.z != nullptr) sum = hn::Add(sum, hn::LoadU(tag, p.z + place));
    hn::StoreU(Held(sum, least, most), tag, p.y + place);
    return;
  }
  std::array<float, static_cast<std::size_t>(kLanes)> part = {};
  const auto bytes = static_cast<std::size_t>(p.width) * sizeof(float);
  if (p.z != nullptr) {
    std::memcpy(part.data(), p.z + place, bytes);
    sum = hn::Add(sum, hn::LoadU(tag, part.data()));
  }
  hn::StoreU(Held(sum, least, most), tag, part.data());
  std::memcpy(p.y + place, part.data(), bytes);
}

/// Where a vector begins that is to hold column `at` and what comes after it.
HWY_INLINE std::int64_t ColumnFor(std::int64_t at, std::int64_t width) {
  return std::max<std::int64_t>(0, std::min(at, width - kLanes));
}

template <int kernel, int stride>
void Plane(const DepthwisePlane& p, const float* padded, std::int64_t padded_width) {
  const Tag tag;
  Vector weights[kernel][kernel];
#pragma GCC unroll 8
  for (int i = 0; i < kernel; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kernel; ++j) weights[i][j] = hn::Set(tag, p.w[i * kernel + j]);
  }
  const Vector bias = hn::Set(tag, p.bias);
  for (std::int64_t row = 0; row < p.height; ++row) {
    const float* line = padded + row * stride * padded_width;
    for (std::int64_t at = 0; at < p.width; at += kLanes) {
      const std::int64_t column = ColumnFor(at, p.width);
      Vector sum = bias;
#pragma GCC unroll 8
      for (int i = 0; i < kernel; ++i) {
        const float* from = line + i * p.dilation * padded_width + column * stride;
#pragma GCC unroll 8
        for (int j = 0; j < kernel; ++j) {
          sum = hn::MulAdd(weights[i][j], Read<stride>(from + j * p.dilation), sum);
        }
      }
      FinishDepthwise(p, sum, row * p.width + column);
    }
  }
}

/// A vector of `rows` rows at once, without dilation: what they see is read once.
template <int kernel, int stride, int rows>
HWY_INLINE void RowsAtOnce(const DepthwisePlane& p, const float* padded, std::int64_t padded_width,
                           std::int64_t row) {
  const Tag tag;
  constexpr int kLines = (rows - 1) * stride + kernel;
  for (std::int64_t at = 0; at < p.width; at += kLanes) {
    const std::int64_t column = ColumnFor(at, p.width);
    const float* const from = padded + row * stride * padded_width + column * stride;
    Vector sums[rows];
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) sums[r] = hn::Set(tag, p.bias);
#pragma GCC unroll 16
    for (int line = 0; line < kLines; ++line) {
#pragma GCC unroll 8
      for (int j = 0; j < kernel; ++j) {
        const Vector x = Read<stride>(from + line * padded_width + j);
#pragma GCC unroll 4
        for (int r = 0; r < rows; ++r) {
          const int i = line - r * stride;
          if (i < 0 || i >= kernel) continue;
          sums[r] = hn::MulAdd(hn::Set(tag, p.w[i * kernel + j]), x, sums[r]);
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) FinishDepthwise(p, sums[r], (row + r) * p.width + column);
  }
}

template <int kernel, int stride>
void NearPlane(const DepthwisePlane& p, const float* padded, std::int64_t padded_width) {
  constexpr int kRows = 4;
  std::int64_t row = 0;
  for (; row + kRows <= p.height; row += kRows) {
    RowsAtOnce<kernel, stride, kRows>(p, padded, padded_width, row);
  }
  for (; row < p.height; ++row) RowsAtOnce<kernel, stride, 1>(p, padded, padded_width, row);
}

template <int kernel>
void AnyPlane(const DepthwisePlane& p, const float* padded, std::int64_t width) {
  if (p.dilation == 1) {
    p.stride == 1 ? NearPlane<kernel, 1>(p, padded, width) : NearPlane<kernel, 2>(p, padded, width);
  } else {
    p.stride == 1 ? Plane<kernel, 1>(p, padded, width) : Plane<kernel, 2>(p, padded, width);
  }
}

std::int64_t DepthwiseRoom(const DepthwisePlane& p) { return Padded(p).size(); }

void RunDepthwise(const DepthwisePlane& p, float* room) {
  const Padded padded(p);
  FillPadded(p, padded, room);
  switch (p.kernel) {
    case 3:
      return AnyPlane<3>(p, room, padded.width);
    case 5:
      return AnyPlane<5>(p, room, padded.width);
    default:
      return AnyPlane<7>(p, room, padded.width);
  }
}

std::int64_t BandRows(const FewChannels& c) { return kBandRows + c.kernel_height - 1; }
std::int64_t BandWidth(const FewChannels& c) { return c.width + c.kernel_width - 1; }

/// The rows of input under a band, with their padding, channel by channel.
void FillBand(const FewChannels& c, std::int64_t first, float* room) {
  const std::int64_t width = BandWidth(c), rows = BandRows(c);
  const std::int64_t left = std::min(c.pad_left, width);
  const std::int64_t columns = std::clamp<std::int64_t>(width - c.pad_left, 0, c.in_width);
  float* to = room;
  for (std::int64_t i = 0; i < c.in_channels * rows; ++i, to += width) {
    const std::int64_t from = first + i % rows - c.pad_top;
    if (from < 0 || from >= c.in_height) {
      std::fill_n(to, width, 0.0F);
    } else {
      FillRow(c.x + (i / rows * c.in_height + from) * c.in_width, columns, left, to, width);
    }
  }
}

/// Where a tile of the output lies: `rows` rows from `row` on, of the band and `to` of the whole,
/// vectors from `at` on but for the last, which begins at `last`.
struct FewPlace {
  std::int64_t row = 0, to = 0, at = 0, last = 0;
};

/// Two rows at once read the input that both see once.
template <int outs, int vectors, int rows>
HWY_INLINE void FewTile(const FewChannels& c, const float* room, const FewPlace& p) {
  const Tag tag;
  Vector sums[rows][outs][vectors];
  const auto place = [&](int v) { return v + 1 == vectors ? p.last : p.at + v * kLanes; };
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int m = 0; m < outs; ++m) {
      const Vector bias = hn::Set(tag, c.bias == nullptr ? 0.0F : c.bias[m]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[r][m][v] = bias;
    }
  }
  const std::int64_t taps = c.kernel_height * c.kernel_width;
  for (std::int64_t k = 0; k < c.in_channels; ++k) {
    for (std::int64_t i = 0; i < c.kernel_height + rows - 1; ++i) {
      const float* const line = room + (k * BandRows(c) + p.row + i) * BandWidth(c);
      const float* const w = c.w + k * taps + i * c.kernel_width;
      const bool seen[2] = {i<c.kernel_height, i> 0};
      for (std::int64_t j = 0; j < c.kernel_width; ++j) {
        Vector in[vectors];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) in[v] = hn::LoadU(tag, line + j + place(v));
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
          if (rows > 1 && !seen[r]) continue;
#pragma GCC unroll 8
          for (int m = 0; m < outs; ++m) {
            const Vector weight =
                hn::Set(tag, w[m * c.in_channels * taps + j - r * c.kernel_width]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) {
              sums[r][m][v] = hn::MulAdd(weight, in[v], sums[r][m][v]);
            }
          }
        }
      }
    }
  }
  const Vector least = hn::Set(tag, c.bounds.least), most = hn::Set(tag, c.bounds.most);
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int m = 0; m < outs; ++m) {
      float* const y = c.y + (m * c.height + p.to + r) * c.width;
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        hn::StoreU(Held(sums[r][m][v], least, most), tag, y + place(v));
      }
    }
  }
}

template <int outs, int rows>
void FewRows(const FewChannels& c, const float* room, std::int64_t row, std::int64_t to) {
  // As many sums as there are registers for.
  constexpr int kAtOnce = outs * rows > 6 ? kVectors / 2 : kVectors;
  constexpr std::int64_t kBeforeLast = (kAtOnce - 1) * kLanes;
  std::int64_t at = 0;
  for (; at + kBeforeLast < c.width; at += kAtOnce * kLanes) {
    const std::int64_t last = std::min(at + kBeforeLast, c.width - kLanes);
    FewTile<outs, kAtOnce, rows>(c, room, {row, to, at, last});
  }
  for (; at < c.width; at += kLanes) {
    FewTile<outs, 1, rows>(c, room, {row, to, at, std::min(at, c.width - kLanes)});
  }
}

template <int outs>
void Band(const FewChannels& c, std::int64_t first, const float* room) {
  const std::int64_t rows = std::min(kBandRows, c.height - first);
  std::int64_t row = 0;
  for (; row + 2 <= rows; row += 2) FewRows<outs, 2>(c, room, row, first + row);
  if (row < rows) FewRows<outs, 1>(c, room, row, first + row);
}

std::int64_t BandRoom(const FewChannels& c) { return c.in_channels * BandRows(c) * BandWidth(c); }

/// What of the convolution makes the channels from `first` on.
FewChannels From(const FewChannels& c, std::int64_t first) {
  FewChannels rest = c;
  rest.w += first * c.in_channels * c.kernel_height * c.kernel_width;
  rest.bias += c.bias == nullptr ? 0 : first;
  rest.y += first * c.height * c.width;
  rest.out_channels -= first;
  return rest;
}

void RunBand(const FewChannels& c, std::int64_t band, float* room) {
  constexpr std::int64_t kTogether = 4;
  const std::int64_t first = band * kBandRows;
  FillBand(c, first, room);
  for (std::int64_t m = 0; m < c.out_channels; m += kTogether) {
    const FewChannels some = From(c, m);
    switch (some.out_channels) {
      case 1:
        Band<1>(some, first, room);
        break;
      case 2:
        Band<2>(some, first, room);
        break;
      case 3:
        Band<3>(some, first, room);
        break;
      default:
        Band<4>(some, first, room);
    }
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(PointwiseVectors);
HWY_EXPORT(RunPointwise);
HWY_EXPORT(DepthwiseRoom);
HWY_EXPORT(RunDepthwise);
HWY_EXPORT(BandRoom);
HWY_EXPORT(RunBand);

std::int64_t PointwiseVectors(std::int64_t n) { return HWY_DYNAMIC_DISPATCH(PointwiseVectors)(n); }

void RunPointwise(const PointwiseRows& rows, std::int64_t first, std::int64_t last) {
  HWY_DYNAMIC_DISPATCH(RunPointwise)(rows, first, last);
}

std::int64_t DepthwiseRoom(const DepthwisePlane& plane) {
  return HWY_DYNAMIC_DISPATCH(DepthwiseRoom)(plane);
}

void RunDepthwise(const DepthwisePlane& plane, float* room) {
  HWY_DYNAMIC_DISPATCH(RunDepthwise)(plane, room);
}

std::int64_t BandRoom(const FewChannels& conv) { return HWY_DYNAMIC_DISPATCH(BandRoom)(conv); }

void RunBand(const FewChannels& conv, std::int64_t band, float* room) {
  HWY_DYNAMIC_DISPATCH(RunBand)(conv, band, room);
}

}  // namespace slipway::runtime
#endif
