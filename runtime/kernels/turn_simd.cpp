// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/turn_simd.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/turn_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kSide = 4;    ///< of tiles
constexpr std::int64_t kBlock = 16;  ///< elements of a cache line

void TurnOneByOne(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
                  std::int64_t to_step, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      to[row * to_step + column] = from[column * from_step + row];
    }
  }
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void TurnTile(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
                         std::int64_t to_step) {
  TurnOneByOne(from, from_step, to, to_step, kSide, kSide);
}
#else
HWY_INLINE void TurnTile(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
                         std::int64_t to_step) {
  const hn::FixedTag<std::uint32_t, kSide> tag;
  const hn::FixedTag<std::uint64_t, kSide / 2> pairs;
  const auto a = hn::LoadU(tag, from), b = hn::LoadU(tag, from + from_step);
  const auto c = hn::LoadU(tag, from + 2 * from_step), d = hn::LoadU(tag, from + 3 * from_step);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(tag, a, b));
  const auto cd_low = hn::BitCast(pairs, hn::InterleaveLower(tag, c, d));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(tag, a, b));
  const auto cd_high = hn::BitCast(pairs, hn::InterleaveUpper(tag, c, d));
  const auto store = [&](auto row, std::int64_t at)
                         HWY_ATTR { hn::StoreU(hn::BitCast(tag, row), tag, to + at * to_step); };
  store(hn::InterleaveLower(pairs, ab_low, cd_low), 0);
  store(hn::InterleaveUpper(pairs, ab_low, cd_low), 1);
  store(hn::InterleaveLower(pairs, ab_high, cd_high), 2);
  store(hn::InterleaveUpper(pairs, ab_high, cd_high), 3);
}
#endif

/// At most a cache line each way, whole tiles. Lines that are farther apart, which may share few
/// places in the cache, are done one after the other.
void TurnBlock(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
               std::int64_t to_step, std::int64_t rows, std::int64_t columns) {
  const auto turn = [=](std::int64_t row, std::int64_t column) HWY_ATTR {
    TurnTile(from + column * from_step + row, from_step, to + row * to_step + column, to_step);
  };
  if (to_step > from_step) {
    for (std::int64_t row = 0; row < rows; row += kSide) {
      for (std::int64_t column = 0; column < columns; column += kSide) turn(row, column);
    }
  } else {
    for (std::int64_t column = 0; column < columns; column += kSide) {
      for (std::int64_t row = 0; row < rows; row += kSide) turn(row, column);
    }
  }
}

void TurnWords(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
               std::int64_t to_step, std::int64_t rows, std::int64_t columns) {
  const std::int64_t whole_rows = rows - rows % kSide, whole = columns - columns % kSide;
  for (std::int64_t row = 0; row < whole_rows; row += kBlock) {
    const std::int64_t height = std::min(kBlock, whole_rows - row);
    for (std::int64_t column = 0; column < whole; column += kBlock) {
      TurnBlock(from + column * from_step + row, from_step, to + row * to_step + column, to_step,
                height, std::min(kBlock, whole - column));
    }
    TurnOneByOne(from + whole * from_step + row, from_step, to + row * to_step + whole, to_step,
                 height, columns - whole);
  }
  TurnOneByOne(from + whole_rows, from_step, to + whole_rows * to_step, to_step, rows - whole_rows,
               columns);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(TurnWords);

void TurnWords(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
               std::int64_t to_step, std::int64_t rows, std::int64_t columns) {
  HWY_DYNAMIC_DISPATCH(TurnWords)(from, from_step, to, to_step, rows, columns);
}

}  // namespace slipway::runtime
#endif
