// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/winograd_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/winograd_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of `kBlock` channels on this machine.
template <int kBlock>
struct Block {
  using Tag = hn::CappedTag<float, kBlock>;
  using Vector = hn::Vec<Tag>;
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
  static constexpr int kParts = kBlock / kLanes;
  /// Tiles whose products are summed together, for two blocks, as there are registers for.
  static constexpr int kTiles = kLanes == 16 ? 14 : kParts < 6 ? 6 / kParts : 1;
};

/// Six numbers of a row or column of input, turned.
template <class Tag, class Vector>
HWY_INLINE void TurnLine(Tag tag, const Vector (&d)[kTile], Vector (&to)[kTile]) {
  const Vector near = hn::Set(tag, kNearPoint), near2 = hn::Set(tag, kNearPoint * kNearPoint);
  const Vector far = hn::Set(tag, kFarPoint), far2 = hn::Set(tag, kFarPoint * kFarPoint);
  const Vector sum = hn::Set(tag, kNearPoint * kNearPoint + kFarPoint * kFarPoint);
  const Vector product = hn::Set(tag, kNearPoint * kNearPoint * kFarPoint * kFarPoint);
  to[0] = hn::NegMulAdd(sum, d[2], hn::MulAdd(product, d[0], d[4]));
  const Vector even = hn::NegMulAdd(far2, d[2], d[4]);
  const Vector odd = hn::NegMulAdd(far2, d[1], d[3]);
  to[1] = hn::MulAdd(near, odd, even);
  to[2] = hn::NegMulAdd(near, odd, even);
  const Vector far_even = hn::NegMulAdd(near2, d[2], d[4]);
  const Vector far_odd = hn::NegMulAdd(near2, d[1], d[3]);
  to[3] = hn::MulAdd(far, far_odd, far_even);
  to[4] = hn::NegMulAdd(far, far_odd, far_even);
  to[5] = hn::NegMulAdd(sum, d[3], hn::MulAdd(product, d[1], d[5]));
}

/// Six sums of products, turned back to `kStep` numbers of output.
template <int kStep, class Tag, class Vector>
HWY_INLINE void TurnBack(Tag tag, const Vector (&m)[kTile], Vector (&to)[kStep]) {
  const auto times = [&](float near, const Vector& a, float far, const Vector& b) {
    return hn::MulAdd(hn::Set(tag, near), a, hn::Mul(hn::Set(tag, far), b));
  };
  const Vector near = hn::Add(m[1], m[2]), near_apart = hn::Sub(m[1], m[2]);
  const Vector far = hn::Add(m[3], m[4]), far_apart = hn::Sub(m[3], m[4]);
  to[0] = hn::Add(hn::Add(m[0], near), far);
  to[1] = times(kNearPoint, near_apart, kFarPoint, far_apart);
  if constexpr (kStep == 4) {
    to[2] = times(kNearPoint * kNearPoint, near, kFarPoint * kFarPoint, far);
    to[3] = times(kNearPoint * kNearPoint * kNearPoint, near_apart,
                  kFarPoint * kFarPoint * kFarPoint, far_apart);
  }
  to[kStep - 1] = hn::Add(to[kStep - 1], m[5]);
}

/// The tiles of one block of input as [36, ..., tiles, block], `stride` numbers between the 36.
template <int kBlock>
void TurnTiles(const WinogradBand& b, const float* x, std::int64_t stride, float* to) {
  using B = Block<kBlock>;
  using Vector = typename B::Vector;
  const typename B::Tag tag;
  const std::int64_t step = TileStep(b.kernel);
  const std::int64_t line = (b.across * step + b.kernel - 1) * kBlock;
  for (std::int64_t tile = 0; tile < b.down * b.across; ++tile) {
    const float* const corner = x + tile / b.across * step * line + tile % b.across * step * kBlock;
    for (int part = 0; part < B::kParts; ++part) {
      Vector rows[kTile][kTile];
#pragma GCC unroll 8
      for (int i = 0; i < kTile; ++i) {
        Vector numbers[kTile];
#pragma GCC unroll 8
        for (std::int64_t j = 0; j < kTile; ++j) {
          numbers[j] = hn::LoadU(tag, corner + i * line + j * kBlock + part * B::kLanes);
        }
        TurnLine(tag, numbers, rows[i]);
      }
#pragma GCC unroll 8
      for (int j = 0; j < kTile; ++j) {
        Vector column[kTile], turned[kTile];
#pragma GCC unroll 8
        for (int i = 0; i < kTile; ++i) column[i] = rows[i][j];
        TurnLine(tag, column, turned);
        float* const at = to + tile * kBlock + part * B::kLanes;
#pragma GCC unroll 8
        for (int i = 0; i < kTile; ++i) hn::StoreU(turned[i], tag, at + (i * kTile + j) * stride);
      }
    }
  }
}

/// Sums over all channels of one of the 36 numbers, for `kTiles` tiles of `kOuts` blocks of output.
/// `v`: [in_blocks, tiles, in_block] from the first tile on; `w`: [channels, block] of each block
/// of output, and `m` [tiles, block], which lie as far apart as those of 36 numbers take.
template <int kBlock, int kIn, int kTiles, int kOuts>
HWY_INLINE void Products(const WinogradBand& b, const float* v, const float* w, float* m) {
  using B = Block<kBlock>;
  using Vector = typename B::Vector;
  constexpr int kCount = kOuts * B::kParts;
  const typename B::Tag tag;
  const std::int64_t tiles = b.down * b.across;
  const std::int64_t w_block = kTileNumbers * b.channels * kBlock;
  const std::int64_t m_block = kTileNumbers * tiles * kBlock;
  const auto part = [](int i) { return i % B::kParts * B::kLanes; };
  Vector sums[kTiles][kCount];
#pragma GCC unroll 16
  for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) sums[t][i] = hn::Zero(tag);
  }
  for (std::int64_t first = 0; first < b.channels; first += kIn, v += tiles * kIn) {
    const std::int64_t count = std::min<std::int64_t>(kIn, b.channels - first);
    for (std::int64_t k = 0; k < count; ++k, w += kBlock) {
      Vector weights[kCount];
#pragma GCC unroll 16
      for (int i = 0; i < kCount; ++i) {
        weights[i] = hn::LoadU(tag, w + i / B::kParts * w_block + part(i));
      }
#pragma GCC unroll 16
      for (std::int64_t t = 0; t < kTiles; ++t) {
        const Vector number = hn::Set(tag, v[t * kIn + k]);
#pragma GCC unroll 16
        for (int i = 0; i < kCount; ++i) {
          sums[t][i] = hn::MulAdd(number, weights[i], sums[t][i]);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) {
      hn::StoreU(sums[t][i], tag, m + i / B::kParts * m_block + t * kBlock + part(i));
    }
  }
}

/// The same for `count` tiles, at most `kMost`.
template <int kBlock, int kIn, int kMost, int kOuts>
HWY_INLINE void SomeProducts(const WinogradBand& b, std::int64_t count, const float* v,
                             const float* w, float* m) {
  if constexpr (kMost > 1) {
    if (count < kMost) return SomeProducts<kBlock, kIn, kMost - 1, kOuts>(b, count, v, w, m);
  }
  Products<kBlock, kIn, kMost, kOuts>(b, v, w, m);
}

/// For all tiles, in strips that are about alike.
template <int kBlock, int kIn, int kOuts>
void AllProducts(const WinogradBand& b, const float* v, const float* w, float* m) {
  constexpr std::int64_t kMost = Block<kBlock>::kTiles;
  const std::int64_t tiles = b.down * b.across;
  const std::int64_t strips = (tiles + kMost - 1) / kMost;
  for (std::int64_t i = 0; i < strips; ++i) {
    const std::int64_t first = tiles * i / strips;
    SomeProducts<kBlock, kIn, static_cast<int>(kMost), kOuts>(
        b, tiles * (i + 1) / strips - first, v + first * kIn, w, m + first * kBlock);
  }
}

/// One block of output of all tiles, from `m` [36, tiles, block].
template <int kBlock, int kStep>
void TilesBack(const WinogradBand& b, const float* m, const float* bias, const float* z, float* y) {
  using B = Block<kBlock>;
  using Vector = typename B::Vector;
  const typename B::Tag tag;
  const std::int64_t tiles = b.down * b.across;
  const Vector least = hn::Set(tag, b.bounds.least);
  const Vector most = hn::Set(tag, b.bounds.most);
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t row = tile / b.across * kStep, column = tile % b.across * kStep;
    const std::int64_t rows = std::min<std::int64_t>(kStep, b.rows - row);
    const std::int64_t columns = std::min<std::int64_t>(kStep, b.width - column);
    for (int part = 0; part < B::kParts; ++part) {
      const int lane = part * B::kLanes;
      Vector half[kStep][kTile];
#pragma GCC unroll 8
      for (int j = 0; j < kTile; ++j) {
        Vector sums[kTile], turned[kStep];
#pragma GCC unroll 8
        for (int i = 0; i < kTile; ++i) {
          sums[i] = hn::LoadU(tag, m + ((i * kTile + j) * tiles + tile) * kBlock + lane);
        }
        TurnBack<kStep>(tag, sums, turned);
#pragma GCC unroll 8
        for (int i = 0; i < kStep; ++i) half[i][j] = turned[i];
      }
      const Vector begin = bias == nullptr ? hn::Zero(tag) : hn::LoadU(tag, bias + lane);
#pragma GCC unroll 8
      for (int i = 0; i < kStep; ++i) {
        Vector turned[kStep];
        TurnBack<kStep>(tag, half[i], turned);
        if (i >= rows) continue;
#pragma GCC unroll 8
        for (int j = 0; j < kStep; ++j) {
          if (j >= columns) continue;
          const std::int64_t at = ((row + i) * b.width + column + j) * kBlock + lane;
          Vector sum = hn::Add(turned[j], begin);
          if (z != nullptr) sum = hn::Add(sum, hn::LoadU(tag, z + at));
          sum = hn::IfThenElse(hn::Lt(sum, least), least, sum);
          sum = hn::IfThenElse(hn::Gt(sum, most), most, sum);
          hn::StoreU(sum, tag, y + at);
        }
      }
    }
  }
}

/// Blocks of output from `first` on, `count` of them, from the turned input.
template <int kBlock, int kIn>
void SomeBlocks(const WinogradBand& b, std::int64_t first, std::int64_t count, const float* turned,
                float* products) {
  const std::int64_t tiles = b.down * b.across;
  const std::int64_t w_block = kTileNumbers * b.channels * kBlock;
  const std::int64_t m_block = kTileNumbers * tiles * kBlock;
  for (std::int64_t i = 0; i < kTileNumbers; ++i) {
    const float* const v = turned + i * b.in_blocks * tiles * kIn;
    const float* const w = b.w + first * w_block + i * b.channels * kBlock;
    float* const m = products + i * tiles * kBlock;
    std::int64_t at = 0;
    for (; at + 2 <= count; at += 2) {
      AllProducts<kBlock, kIn, 2>(b, v, w + at * w_block, m + at * m_block);
    }
    if (at < count) AllProducts<kBlock, kIn, 1>(b, v, w + at * w_block, m + at * m_block);
  }
  const auto back = b.kernel == 3 ? TilesBack<kBlock, 4> : TilesBack<kBlock, 2>;
  for (std::int64_t at = 0; at < count; ++at) {
    const std::int64_t block = first + at;
    back(b, products + at * m_block, b.bias == nullptr ? nullptr : b.bias + block * kBlock,
         b.z == nullptr ? nullptr : b.z + block * b.y_plane, b.y + block * b.y_plane);
  }
}

template <int kBlock, int kIn>
void RunBlocks(const WinogradBand& b, float* room) {
  const std::int64_t tiles = b.down * b.across;
  const std::int64_t step = TileStep(b.kernel);
  const std::int64_t x_plane =
      (b.down * step + b.kernel - 1) * (b.across * step + b.kernel - 1) * kIn;
  const std::int64_t each = b.in_blocks * tiles * kIn;
  for (std::int64_t i = 0; i < b.in_blocks; ++i) {
    TurnTiles<kIn>(b, b.x + i * x_plane, each, room + i * tiles * kIn);
  }
  for (std::int64_t first = 0; first < b.out_blocks; first += kBlocksAtOnce) {
    SomeBlocks<kBlock, kIn>(b, first, std::min(kBlocksAtOnce, b.out_blocks - first), room,
                            room + kTileNumbers * each);
  }
}

void RunWinograd(const WinogradBand& band, float* room) {
  if (band.block == 8) return RunBlocks<8, 8>(band, room);
  if (band.in_block == 8) return RunBlocks<16, 8>(band, room);
  RunBlocks<16, 16>(band, room);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunWinograd);

void TurnWeights(const float* w, std::int64_t kernel, float (&turned)[kTileNumbers]) {
  // Rows of G: powers of the points over the products of their distances; infinity is the last.
  constexpr double kNear = kNearPoint, kFar = kFarPoint, kApart = kNear * kNear - kFar * kFar;
  constexpr double kPoints[] = {0, kNear, -kNear, kFar, -kFar};
  constexpr double kAtNear = 2 * kNear * kNear * kApart, kAtFar = -2 * kFar * kFar * kApart;
  constexpr double kDistances[] = {kNear * kNear * kFar * kFar, kAtNear, kAtNear, kAtFar, kAtFar};
  double half[kTile][kTile] = {};
  const auto turn = [&](std::int64_t point, const auto& number) {
    if (point == kTile - 1) return number(kernel - 1);
    double sum = 0;
    for (std::int64_t k = kernel - 1; k >= 0; --k) sum = sum * kPoints[point] + number(k);
    return sum / kDistances[point];
  };
  for (std::int64_t i = 0; i < kTile; ++i) {
    for (std::int64_t column = 0; column < kernel; ++column) {
      half[i][column] =
          turn(i, [&](std::int64_t k) { return static_cast<double>(w[k * kernel + column]); });
    }
  }
  for (std::int64_t i = 0; i < kTile; ++i) {
    for (std::int64_t j = 0; j < kTile; ++j) {
      turned[i * kTile + j] =
          static_cast<float>(turn(j, [&](std::int64_t k) { return half[i][k]; }));
    }
  }
}

std::int64_t WinogradRoom(const WinogradBand& band) {
  return kTileNumbers * band.down * band.across *
         (band.in_blocks * band.in_block + kBlocksAtOnce * band.block);
}

void RunWinograd(const WinogradBand& band, float* room) {
  HWY_DYNAMIC_DISPATCH(RunWinograd)(band, room);
}

}  // namespace slipway::runtime
#endif
