// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/small_image_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/small_image_simd.cpp"
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
  /// Positions at once: so many that a sum need not wait for the one before.
  static constexpr int kRows = kParts < 8 ? 8 / kParts : 1;
  /// Blocks at once, as there are registers for.
  static constexpr int kAtOnce = kParts == 1 && kBlock == 16 ? 2 : 1;
};

/// Positions from `row` of `kBlocks` blocks from `block`.
template <int kBlock, int kRows, int kBlocks>
HWY_INLINE void Tile(const SmallConv& c, std::size_t row, std::int64_t block) {
  using B = Block<kBlock>;
  using Vector = typename B::Vector;
  constexpr int kCount = kBlocks * B::kParts;
  const typename B::Tag tag;
  const auto depth = static_cast<std::int64_t>(c.taps.size());
  const auto positions = static_cast<std::int64_t>(c.windows.size());
  const float* windows[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) windows[i] = c.x + c.windows[row + static_cast<std::size_t>(i)];
  const auto part = [](int v) { return v % B::kParts * B::kLanes; };
  const auto at = [&](int i, int v) {
    const std::int64_t position = static_cast<std::int64_t>(row) + i;
    return ((block + v / B::kParts) * positions + position) * kBlock + part(v);
  };
  Vector sums[kRows][kCount];
#pragma GCC unroll 16
  for (int v = 0; v < kCount; ++v) {
    const Vector bias = hn::LoadU(tag, c.bias + (block + v / B::kParts) * kBlock + part(v));
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      sums[i][v] = c.z == nullptr ? bias : hn::Add(bias, hn::LoadU(tag, c.z + at(i, v)));
    }
  }
  const float* w = c.w + block * depth * kBlock;
  for (const std::int32_t tap : c.taps) {
    Vector weights[kCount];
#pragma GCC unroll 16
    for (int v = 0; v < kCount; ++v) {
      weights[v] = hn::LoadU(tag, w + v / B::kParts * depth * kBlock + part(v));
    }
    w += kBlock;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vector number = hn::Set(tag, windows[i][tap]);
#pragma GCC unroll 16
      for (int v = 0; v < kCount; ++v) sums[i][v] = hn::MulAdd(number, weights[v], sums[i][v]);
    }
  }
  const Vector least = hn::Set(tag, c.bounds.least);
  const Vector most = hn::Set(tag, c.bounds.most);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kCount; ++v) {
      Vector sum = sums[i][v];
      sum = hn::IfThenElse(hn::Lt(sum, least), least, sum);
      sum = hn::IfThenElse(hn::Gt(sum, most), most, sum);
      hn::StoreU(sum, tag, c.y + at(i, v));
    }
  }
}

template <int kBlock, int kBlocks>
void AllPositions(const SmallConv& c, std::int64_t block) {
  constexpr int kRows = Block<kBlock>::kRows;
  std::size_t row = 0;
  for (; row + kRows <= c.windows.size(); row += kRows) Tile<kBlock, kRows, kBlocks>(c, row, block);
  for (; row + 2 <= c.windows.size(); row += 2) Tile<kBlock, 2, kBlocks>(c, row, block);
  if (row < c.windows.size()) Tile<kBlock, 1, kBlocks>(c, row, block);
}

template <int kBlock>
void AllBlocks(const SmallConv& c) {
  constexpr int kAtOnce = Block<kBlock>::kAtOnce;
  std::int64_t block = 0;
  for (; block + kAtOnce <= c.blocks; block += kAtOnce) AllPositions<kBlock, kAtOnce>(c, block);
  for (; block < c.blocks; ++block) AllPositions<kBlock, 1>(c, block);
}

void RunSmallConv(const SmallConv& conv, std::int64_t block) {
  if (block == 16) {
    AllBlocks<16>(conv);
  } else {
    AllBlocks<8>(conv);
  }
}

/// One vector of a block at all positions of a plane.
template <int kBlock>
HWY_INLINE void PoolPart(const SmallPool& p, const float* x, float* y) {
  const typename Block<kBlock>::Tag tag;
  const std::int32_t* tap = p.taps.data();
  for (std::size_t i = 0; i < p.ends.size(); ++i, y += kBlock) {
    const std::int32_t* const end = p.taps.data() + p.ends[i];
    auto result = hn::LoadU(tag, x + *tap++);
    if (p.counts.empty()) {
      for (; tap != end; ++tap) {
        const auto number = hn::LoadU(tag, x + *tap);
        result = hn::IfThenElse(hn::Gt(number, result), number, result);
      }
    } else {
      for (; tap != end; ++tap) result = hn::Add(result, hn::LoadU(tag, x + *tap));
      result = hn::Div(result, hn::Set(tag, p.counts[i]));
    }
    hn::StoreU(result, tag, y);
  }
}

template <int kBlock>
void AllPlanes(const SmallPool& p) {
  const auto plane = static_cast<std::int64_t>(p.ends.size()) * kBlock;
  for (std::int64_t i = 0; i < p.planes; ++i) {
    for (int part = 0; part < kBlock; part += Block<kBlock>::kLanes) {
      PoolPart<kBlock>(p, p.x + i * p.plane + part, p.y + i * plane + part);
    }
  }
}

void RunSmallPool(const SmallPool& pool, std::int64_t block) {
  if (block == 16) {
    AllPlanes<16>(pool);
  } else {
    AllPlanes<8>(pool);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunSmallConv);
HWY_EXPORT(RunSmallPool);

void RunSmallConv(const SmallConv& conv, std::int64_t block) {
  HWY_DYNAMIC_DISPATCH(RunSmallConv)(conv, block);
}

void RunSmallPool(const SmallPool& pool, std::int64_t block) {
  HWY_DYNAMIC_DISPATCH(RunSmallPool)(pool, block);
}

}  // namespace slipway::runtime
#endif
