// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/softmax_simd.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/softmax_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kSoftmaxRows>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

using Vector = hn::Vec<Tag>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Columns of a vector's width: `count` numbers of each row, kSoftmaxRows apart.
void SoftenColumns(float* numbers, std::int64_t count, bool log) {
  const Tag tag;
  const auto all = [&](const auto& change) HWY_ATTR {
    for (std::int64_t c = 0; c < count; ++c) {
      float* const at = numbers + c * kSoftmaxRows;
      hn::StoreU(change(hn::LoadU(tag, at)), tag, at);
    }
  };
  auto largest = hn::LoadU(tag, numbers);
  auto is_odd = hn::IsNaN(largest);
  for (std::int64_t c = 1; c < count; ++c) {
    const auto number = hn::LoadU(tag, numbers + c * kSoftmaxRows);
    is_odd = hn::Or(is_odd, hn::IsNaN(number));
    largest = hn::Max(largest, number);
  }
  is_odd = hn::Or(is_odd, hn::Not(hn::IsFinite(largest)));
  auto sum = hn::Zero(tag);
  for (std::int64_t c = 0; c < count; ++c) {
    const auto below = hn::Sub(hn::LoadU(tag, numbers + c * kSoftmaxRows), largest);
    sum = hn::Add(sum, hn::Exp(tag, below));
  }
  if (log) {
    const auto whole = hn::IfThenElse(is_odd, hn::Set(tag, kNan), hn::Log(tag, sum));
    all([&](Vector x) HWY_ATTR { return hn::Sub(hn::Sub(x, largest), whole); });
  } else {
    const auto whole = hn::IfThenElse(is_odd, hn::Set(tag, kNan), sum);
    all([&](Vector x) HWY_ATTR { return hn::Div(hn::Exp(tag, hn::Sub(x, largest)), whole); });
  }
}

/// The largest element of at least a vector of them; NaN where one is no number.
float LargestOf(const float* x, std::int64_t count) {
  const Tag tag;
  auto most = hn::LoadU(tag, x + count - kLanes);
  auto is_odd = hn::IsNaN(most);
  for (std::int64_t i = 0; i + kLanes <= count; i += kLanes) {
    const auto number = hn::LoadU(tag, x + i);
    is_odd = hn::Or(is_odd, hn::IsNaN(number));
    most = hn::Max(most, number);
  }
  return hn::AllFalse(tag, is_odd) ? hn::GetLane(hn::MaxOfLanes(tag, most)) : kNan;
}

/// Of at least a vector. The last one laps over the one before: what both have is the same, and
/// counts once.
void SoftmaxOfVectors(const float* x, std::int64_t count, bool log, float* y) {
  const Tag tag;
  const float most = LargestOf(x, count);
  if (!std::isfinite(most)) {
    std::fill_n(y, count, kNan);
    return;
  }
  const auto largest = hn::Set(tag, most);
  const std::int64_t whole = count / kLanes * kLanes, last = count - kLanes;
  const auto end = hn::Sub(hn::LoadU(tag, x + last), largest);
  const auto end_weight = hn::Exp(tag, end);
  const auto is_counted = hn::FirstN(tag, static_cast<std::size_t>(whole - last));
  auto sums = hn::IfThenElse(is_counted, hn::Zero(tag), end_weight);
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    const auto below = hn::Sub(hn::LoadU(tag, x + i), largest);
    const auto weight = hn::Exp(tag, below);
    sums = hn::Add(sums, weight);
    hn::StoreU(log ? below : weight, tag, y + i);
  }
  const float sum = hn::GetLane(hn::SumOfLanes(tag, sums));
  const auto part = hn::Set(tag, 1 / sum), logarithm = hn::Set(tag, std::log(sum));
  const auto finish = [&](Vector number) HWY_ATTR {
    return log ? hn::Sub(number, logarithm) : hn::Mul(number, part);
  };
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    hn::StoreU(finish(hn::LoadU(tag, y + i)), tag, y + i);
  }
  hn::StoreU(finish(log ? end : end_weight), tag, y + last);
}

void SoftmaxOfRow(const float* x, std::int64_t count, bool log, float* y) {
  if (count >= kLanes) return SoftmaxOfVectors(x, count, log, y);
  float vector[kLanes];
  std::fill(std::copy_n(x, count, vector), vector + kLanes,
            -std::numeric_limits<float>::infinity());
  SoftmaxOfVectors(vector, kLanes, log, vector);
  std::copy_n(vector, count, y);
}

void SoftmaxOfRows(const SoftmaxBlock& block, const float* x, float* y, float* room) {
  const std::int64_t count = block.shape.count, inner = block.shape.inner;
  std::int64_t starts[kSoftmaxRows];
  std::int64_t plane = block.first / inner, column = block.first % inner;
  const bool together = column + block.rows <= inner;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    starts[r] = plane * count * inner + column;
    if (++column < inner) continue;
    column = 0;
    ++plane;
  }
  for (std::int64_t c = 0; c < count; ++c) {
    float* const to = room + c * kSoftmaxRows;
    const float* const from = x + c * inner;
    if (together) {
      std::copy_n(from + starts[0], block.rows, to);
    } else {
      for (std::int64_t r = 0; r < block.rows; ++r) to[r] = from[starts[r]];
    }
    std::fill(to + block.rows, to + kSoftmaxRows, 0.0F);
  }
  for (std::int64_t r = 0; r < block.rows; r += kLanes) SoftenColumns(room + r, count, block.log);
  for (std::int64_t c = 0; c < count; ++c) {
    const float* const from = room + c * kSoftmaxRows;
    for (std::int64_t r = 0; r < block.rows; ++r) y[starts[r] + c * inner] = from[r];
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(SoftmaxOfRow);
HWY_EXPORT(SoftmaxOfRows);

void SoftmaxOfRow(const float* x, std::int64_t count, bool log, float* y) {
  HWY_DYNAMIC_DISPATCH(SoftmaxOfRow)(x, count, log, y);
}

void SoftmaxOfRows(const SoftmaxBlock& block, const float* x, float* y, float* room) {
  HWY_DYNAMIC_DISPATCH(SoftmaxOfRows)(block, x, y, room);
}

}  // namespace slipway::runtime
#endif
