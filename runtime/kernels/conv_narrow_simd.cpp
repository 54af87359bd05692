// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_narrow_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/conv_narrow_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kNarrowBlock>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
/// Vectors of a block.
constexpr int kParts = static_cast<int>(kNarrowBlock / kLanes);
/// Numbers of weights that stay near while all rows use them.
constexpr std::int64_t kNearWeights = 24 << 10;
/// Numbers that come together from memory.
constexpr std::int64_t kLine = 16;

/// Some blocks of input channels, of all the output's rows.
struct Chunk {
  std::int64_t first = 0, last = 0;  ///< blocks of input
  bool begins = false, ends = false;
};

/// Where a tile of the output is, and the weights that are asked for while it is computed.
struct Place {
  std::int64_t row = 0, column = 0, block = 0;
  const float *ahead = nullptr, *asked = nullptr;
};

/// Adds what a chunk of the input gives to `width` positions of `blocks` blocks.
template <int width, int blocks>
HWY_INLINE void Tile(const NarrowConv& c, const Chunk& chunk, Place place) {
  const Tag tag;
  constexpr int kCount = blocks * kParts;
  Vector sums[width][kCount];
  const std::int64_t plane = c.height * c.width * kNarrowBlock;
  const std::int64_t image = place.row / c.height;
  const std::int64_t row = place.row % c.height;
  const std::int64_t start =
      image * c.y_image + place.block * plane + (row * c.width + place.column) * kNarrowBlock;
  float* const y = c.y + start;
  const auto at = [&](int i, int v) {
    return v / kParts * plane + i * kNarrowBlock + v % kParts * kLanes;
  };
#pragma GCC unroll 16
  for (int v = 0; v < kCount; ++v) {
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) {
      if (!chunk.begins) {
        sums[i][v] = hn::LoadU(tag, y + at(i, v));
        continue;
      }
      sums[i][v] = c.bias == nullptr
                       ? hn::Zero(tag)
                       : hn::LoadU(tag, c.bias + place.block * kNarrowBlock + v * kLanes);
      if (c.z != nullptr) sums[i][v] = hn::Add(sums[i][v], hn::LoadU(tag, c.z + start + at(i, v)));
    }
  }
  const std::int64_t each = c.blocks * kNarrowBlock;
  const float* w = c.w + chunk.first * kNarrowBlock * c.kernel_height * c.kernel_width * each +
                   place.block * kNarrowBlock;
  for (std::int64_t b = chunk.first; b < chunk.last; ++b) {
    for (std::int64_t down = 0; down < c.kernel_height; ++down) {
      const std::int64_t line = (b * c.in_height + row * c.stride + down) * c.in_width;
      for (std::int64_t right = 0; right < c.kernel_width; ++right) {
        const float* const x =
            c.x + image * c.x_image + (line + place.column * c.stride + right) * kNarrowBlock;
        for (std::int64_t k = 0; k < kNarrowBlock; ++k, w += each) {
          Vector weights[kCount];
#pragma GCC unroll 16
          for (int v = 0; v < kCount; ++v) weights[v] = hn::LoadU(tag, w + v * kLanes);
          if (place.ahead < place.asked) {
            hwy::Prefetch(place.ahead);
            place.ahead += kLine;
          }
#pragma GCC unroll 16
          for (int i = 0; i < width; ++i) {
            const Vector number = hn::Set(tag, x[i * c.stride * kNarrowBlock + k]);
#pragma GCC unroll 16
            for (int v = 0; v < kCount; ++v) {
              sums[i][v] = hn::MulAdd(number, weights[v], sums[i][v]);
            }
          }
        }
      }
    }
  }
  const Vector least = hn::Set(tag, c.bounds.least);
  const Vector most = hn::Set(tag, c.bounds.most);
#pragma GCC unroll 16
  for (int i = 0; i < width; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kCount; ++v) {
      Vector sum = sums[i][v];
      if (chunk.ends) {
        sum = hn::IfThenElse(hn::Lt(sum, least), least, sum);
        sum = hn::IfThenElse(hn::Gt(sum, most), most, sum);
      }
      hn::StoreU(sum, tag, y + at(i, v));
    }
  }
}

/// A row of all blocks: at once where a block is a vector, of which there are many then.
template <int width, int blocks>
void Row(const NarrowConv& c, const Chunk& chunk, Place place) {
  if constexpr (kParts == 1) {
    Tile<width, blocks>(c, chunk, place);
  } else {
    for (place.block = 0; place.block < blocks; ++place.block) {
      for (place.column = 0; place.column < width; ++place.column) Tile<1, 1>(c, chunk, place);
    }
  }
}

template <int width, int blocks>
void AllRows(const NarrowConv& c) {
  const std::int64_t each = kNarrowBlock * c.kernel_height * c.kernel_width * blocks * kNarrowBlock;
  const std::int64_t step = std::max<std::int64_t>(1, kNearWeights / each);
  for (std::int64_t first = 0; first < c.in_blocks; first += step) {
    const std::int64_t last = std::min(c.in_blocks, first + step);
    const Chunk chunk{first, last, first == 0, last == c.in_blocks};
    const std::int64_t next = std::min(step * each, (c.in_blocks - last) * each + c.more);
    const float* const ahead = c.w + last * each;
    const std::int64_t rows = c.last_row - c.first_row;
    for (std::int64_t i = 0; i < rows; ++i) {
      Row<width, blocks>(c, chunk,
                         {.row = c.first_row + i,
                          .ahead = ahead + next * i / rows / kLine * kLine,
                          .asked = ahead + next * (i + 1) / rows / kLine * kLine});
    }
  }
}

template <int width>
void AnyBlocks(const NarrowConv& c) {
  switch (c.blocks) {
    case 1:
      return AllRows<width, 1>(c);
    case 2:
      return AllRows<width, 2>(c);
    case 3:
      return AllRows<width, 3>(c);
    default:
      return AllRows<width, static_cast<int>(NarrowGroup(width))>(c);
  }
}

void RunNarrow(const NarrowConv& c) {
  switch (c.width) {
    case 4:
      return AnyBlocks<4>(c);
    case 5:
      return AnyBlocks<5>(c);
    case 6:
      return AnyBlocks<6>(c);
    case 7:
      return AnyBlocks<7>(c);
    default:
      return AnyBlocks<8>(c);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunNarrow);

void RunNarrow(const NarrowConv& conv) { HWY_DYNAMIC_DISPATCH(RunNarrow)(conv); }

}  // namespace slipway::runtime
#endif
