// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/heads_simd.h"

#include <algorithm>
#include <array>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/heads_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "runtime/kernels/exp_inl.h"

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kHeadsPad>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
/// Tiles that fill the registers: 32 where vectors are widest, else 16.
constexpr int kTileVectors = kLanes == kHeadsPad ? 4 : 2;
constexpr int kTileRows = 6;
constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// y[rows, width] = a[rows, depth] * b[depth, width], or += that.
struct Product {
  const float *a, *b;
  float* y;
  std::int64_t rows, depth, width;
  std::int64_t a_stride, b_stride, y_stride;
};

template <int kRows, int kVectors, bool kAdd>
HWY_INLINE void Tile(const Product& p, std::int64_t row, std::int64_t column) {
  const Tag tag;
  Vector sums[kRows][kVectors];
  float* y = p.y + row * p.y_stride + column;
  const float* a = p.a + row * p.a_stride;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = kAdd ? hn::LoadU(tag, y + i * p.y_stride + v * kLanes) : hn::Zero(tag);
    }
  }
  const float* b = p.b + column;
  for (std::int64_t k = 0; k < p.depth; ++k, b += p.b_stride) {
    Vector others[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) others[v] = hn::LoadU(tag, b + v * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vector one = hn::Set(tag, a[i * p.a_stride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[i][v] = hn::MulAdd(one, others[v], sums[i][v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[i][v], tag, y + i * p.y_stride + v * kLanes);
  }
}

template <int kRows, bool kAdd>
void Strip(const Product& p, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + kTileVectors * kLanes <= p.width; column += kTileVectors * kLanes) {
    Tile<kRows, kTileVectors, kAdd>(p, row, column);
  }
  for (; column + 2 * kLanes <= p.width; column += 2 * kLanes) Tile<kRows, 2, kAdd>(p, row, column);
  for (; column < p.width; column += kLanes) Tile<kRows, 1, kAdd>(p, row, column);
}

template <bool kAdd>
void Multiply(const Product& p) {
  std::int64_t row = 0;
  if (p.width == kLanes) {
    constexpr int kTall = 2 * kTileRows;
    for (; row + kTall <= p.rows; row += kTall) Tile<kTall, 1, kAdd>(p, row, 0);
  }
  for (; row + kTileRows <= p.rows; row += kTileRows) Strip<kTileRows, kAdd>(p, row);
  for (; row + 2 <= p.rows; row += 2) Strip<2, kAdd>(p, row);
  for (; row < p.rows; ++row) Strip<1, kAdd>(p, row);
}

std::int64_t Padded(std::int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

void ScoresOfPanels(const HeadsBlock& b, std::int64_t rows) {
  for (std::int64_t first = 0; first < b.count; first += kKeyPanel) {
    Multiply<false>({.a = b.queries,
                     .b = b.keys + first * b.head,
                     .y = b.scores + first,
                     .rows = rows,
                     .depth = b.head,
                     .width = Padded(std::min(kKeyPanel, b.count - first)),
                     .a_stride = b.head,
                     .b_stride = kKeyPanel,
                     .y_stride = kKeyBlock});
  }
}

float Dot(const float* a, const float* b, std::int64_t count) {
  const Tag tag;
  auto even = hn::Zero(tag);
  auto odd = hn::Zero(tag);
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    even = hn::MulAdd(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i), even);
    odd = hn::MulAdd(hn::LoadU(tag, a + i + kLanes), hn::LoadU(tag, b + i + kLanes), odd);
  }
  for (; i + kLanes <= count; i += kLanes) {
    even = hn::MulAdd(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i), even);
  }
  float sum = hn::GetLane(hn::SumOfLanes(tag, hn::Add(even, odd)));
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void ScoresOfKeys(const HeadsBlock& b, std::int64_t rows) {
  for (std::int64_t j = 0; j < b.count; ++j) {
    for (std::int64_t row = 0; row < rows; ++row) {
      b.scores[row * kKeyBlock + j] =
          Dot(b.queries + row * b.head, b.keys + j * b.key_stride, b.head);
    }
  }
}

/// `count` numbers at `from`, or a whole vector where there are so many.
Vector LoadSome(const float* from, std::int64_t count) {
  const Tag tag;
  if (count >= kLanes) return hn::LoadU(tag, from);
  std::array<float, kLanes> some = {};
  std::copy_n(from, count, some.begin());
  return hn::LoadU(tag, some.data());
}

/// Scores from key `at` on as they count, and minus infinity where the query does not see the key.
Vector Seen(const HeadsBlock& block, const QueryState& query, Vector score, std::int64_t at) {
  const Tag tag;
  const hn::RebindToSigned<Tag> whole;
  const auto nothing = hn::Set(tag, kNothing);
  if (block.softcap > 0) {
    const auto cap = hn::Set(tag, block.softcap);
    const auto part = hn::Div(score, cap);
    score = hn::IfThenElse(hn::IsNaN(part), part, hn::Mul(cap, hn::Tanh(tag, part)));
  }
  for (int b = 0; b < 2; ++b) {
    if (query.bias[b] == nullptr) continue;
    const Vector added = LoadSome(query.bias[b] + at, query.end - at);
    const Vector sum = hn::Add(score, added);
    if (b == 1 && block.fills) {
      score = hn::IfThenElse(hn::Eq(added, hn::Zero(tag)), score, added);
    } else if (block.literal) {
      score = sum;
    } else {
      score = hn::IfThenElse(hn::Eq(added, nothing), nothing, sum);
    }
  }
  if (at >= query.begin && at + kLanes <= query.end) return score;
  const auto key = hn::Iota(whole, static_cast<std::int32_t>(at));
  const auto after = hn::Gt(key, hn::Set(whole, static_cast<std::int32_t>(query.begin - 1)));
  const auto before = hn::Lt(key, hn::Set(whole, static_cast<std::int32_t>(query.end)));
  return hn::IfThenElse(hn::RebindMask(tag, hn::And(after, before)), score, nothing);
}

void ScaleRow(float* row, std::int64_t width, float factor) {
  const Tag tag;
  const auto by = hn::Set(tag, factor);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(tag, row + i), by), tag, row + i);
  }
}

float ExpOf(float x) { return hn::GetLane(BoundedExp(Tag(), hn::Set(Tag(), x))); }

/// Scores become exp(score - largest); sums so far are brought to the largest score there is now.
void Weigh(const HeadsBlock& block, QueryState& query, float* scores, float* sums) {
  const Tag tag;
  const std::int64_t padded = Padded(block.count);
  const bool sees = query.begin < query.end;
  const std::int64_t first = sees ? query.begin / kLanes * kLanes : padded;
  const std::int64_t last = sees ? Padded(query.end) : padded;
  std::fill_n(scores, first, 0.0F);
  std::fill(scores + last, scores + padded, 0.0F);
  auto most = hn::Set(tag, query.largest);
  auto is_odd = hn::IsNaN(hn::Zero(tag));
  for (std::int64_t at = first; at < last; at += kLanes) {
    const Vector score = Seen(block, query, hn::LoadU(tag, scores + at), at);
    is_odd = hn::Or(is_odd, hn::IsNaN(score));
    most = hn::Max(most, score);
    hn::StoreU(score, tag, scores + at);
  }
  query.odd = query.odd || !hn::AllFalse(tag, is_odd);
  const float largest = query.odd ? kNothing : hn::GetLane(hn::MaxOfLanes(tag, most));
  query.odd = query.odd || largest == std::numeric_limits<float>::infinity();
  if (query.odd || largest == kNothing) {
    std::fill(scores + first, scores + last, 0.0F);
    return;
  }
  if (largest > query.largest) {
    const float factor = query.largest == kNothing ? 0 : ExpOf(query.largest - largest);
    query.sum *= factor;
    ScaleRow(sums, block.width, factor);
    query.largest = largest;
  }
  auto sum = hn::Zero(tag);
  const auto top = hn::Set(tag, largest);
  for (std::int64_t at = first; at < last; at += kLanes) {
    const auto weight = BoundedExp(tag, hn::Sub(hn::LoadU(tag, scores + at), top));
    sum = hn::Add(sum, weight);
    hn::StoreU(weight, tag, scores + at);
  }
  query.sum += hn::GetLane(hn::SumOfLanes(tag, sum));
}

void AttendToBlock(const HeadsBlock& block, std::span<QueryState> queries) {
  const auto rows = static_cast<std::int64_t>(queries.size());
  if (block.key_stride == 0) {
    ScoresOfPanels(block, rows);
  } else {
    ScoresOfKeys(block, rows);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    Weigh(block, queries[static_cast<std::size_t>(row)], block.scores + row * kKeyBlock,
          block.sums + row * block.width);
  }
  Multiply<true>({.a = block.scores,
                  .b = block.values,
                  .y = block.sums,
                  .rows = rows,
                  .depth = block.count,
                  .width = block.width,
                  .a_stride = kKeyBlock,
                  .b_stride = block.value_stride,
                  .y_stride = block.width});
}

bool FinishQuery(const float* sums, float sum, std::int64_t count, float* y) {
  const Tag tag;
  const auto whole = hn::Set(tag, sum);
  const auto finish = [&](const float* from, float* to) HWY_ATTR {
    const auto part = hn::Div(hn::LoadU(tag, from), whole);
    hn::StoreU(part, tag, to);
    return hn::AllTrue(tag, hn::IsFinite(part));
  };
  bool finite = true;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) finite = finish(sums + i, y + i) && finite;
  if (i == count) return finite;
  std::array<float, kLanes> rest;
  finite = finish(sums + i, rest.data()) && finite;
  std::copy_n(rest.begin(), count - i, y + i);
  return finite;
}

/// Four numbers of four keys as four keys' numbers.
void TransposeFour(const float* from, std::int64_t stride, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t d = 0; d < 4; ++d) {
    for (std::int64_t j = 0; j < 4; ++j) to[d * kKeyPanel + j] = from[j * stride + d];
  }
#else
  const hn::FixedTag<float, 4> four;
  const auto a = hn::LoadU(four, from), b = hn::LoadU(four, from + stride);
  const auto c = hn::LoadU(four, from + 2 * stride), d = hn::LoadU(four, from + 3 * stride);
  const auto ab_low = hn::InterleaveLower(four, a, b), ab_high = hn::InterleaveUpper(four, a, b);
  const auto cd_low = hn::InterleaveLower(four, c, d), cd_high = hn::InterleaveUpper(four, c, d);
  hn::StoreU(hn::ConcatLowerLower(four, cd_low, ab_low), four, to);
  hn::StoreU(hn::ConcatUpperUpper(four, cd_low, ab_low), four, to + kKeyPanel);
  hn::StoreU(hn::ConcatLowerLower(four, cd_high, ab_high), four, to + 2 * kKeyPanel);
  hn::StoreU(hn::ConcatUpperUpper(four, cd_high, ab_high), four, to + 3 * kKeyPanel);
#endif
}

/// At most kKeyPanel keys.
void PackPanel(const float* keys, std::int64_t stride, std::int64_t count, std::int64_t head,
               float* packed) {
  const std::int64_t whole = head / 4 * 4;
  std::int64_t j = 0;
  for (; j + 4 <= count; j += 4) {
    for (std::int64_t d = 0; d < whole; d += 4) {
      TransposeFour(keys + j * stride + d, stride, packed + d * kKeyPanel + j);
    }
  }
  for (std::int64_t d = 0; d < head; ++d) {
    float* const to = packed + d * kKeyPanel;
    for (std::int64_t k = d < whole ? j : 0; k < count; ++k) to[k] = keys[k * stride + d];
    std::fill(to + count, to + Padded(count), 0.0F);
  }
}

void PackKeys(const float* keys, std::int64_t key_stride, std::int64_t count, std::int64_t head,
              float* packed) {
  for (std::int64_t first = 0; first < count; first += kKeyPanel, packed += kKeyPanel * head) {
    PackPanel(keys + first * key_stride, key_stride, std::min(kKeyPanel, count - first), head,
              packed);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(AttendToBlock);
HWY_EXPORT(FinishQuery);
HWY_EXPORT(PackKeys);

void AttendToBlock(const HeadsBlock& block, std::span<QueryState> queries) {
  HWY_DYNAMIC_DISPATCH(AttendToBlock)(block, queries);
}

bool FinishQuery(const float* sums, float sum, std::int64_t count, float* y) {
  return HWY_DYNAMIC_DISPATCH(FinishQuery)(sums, sum, count, y);
}

void PackKeys(const float* keys, std::int64_t key_stride, std::int64_t count, std::int64_t head,
              float* packed) {
  HWY_DYNAMIC_DISPATCH(PackKeys)(keys, key_stride, count, head, packed);
}

}  // namespace slipway::runtime
#endif
