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

#include "runtime/kernels/exp_inl.h"

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
  all([&](Vector x) HWY_ATTR {
    const auto below = hn::Sub(x, largest);
    const auto weight = BoundedExp(tag, below);
    sum = hn::Add(sum, weight);
    return log ? below : weight;
  });
  const auto nan = hn::Set(tag, kNan);
  if (log) {
    const auto whole = hn::IfThenElse(is_odd, nan, hn::Log(tag, sum));
    all([&](Vector x) HWY_ATTR { return hn::Sub(x, whole); });
  } else {
    const auto part = hn::IfThenElse(is_odd, nan, hn::Div(hn::Set(tag, 1), sum));
    all([&](Vector x) HWY_ATTR { return hn::Mul(x, part); });
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

/// Of at least a vector. Of what is no whole number of them the last laps over the one before: what
/// both have is the same, and counts once.
void SoftmaxOfVectors(const float* x, std::int64_t count, bool log, float* y) {
  const Tag tag;
  const float most = LargestOf(x, count);
  if (!std::isfinite(most)) {
    std::fill_n(y, count, kNan);
    return;
  }
  const auto largest = hn::Set(tag, most);
  const std::int64_t whole = count / kLanes * kLanes, last = count - kLanes;
  Vector end = hn::Zero(tag), sums = hn::Zero(tag);
  if (whole < count) {
    const auto below = hn::Sub(hn::LoadU(tag, x + last), largest);
    const auto weight = BoundedExp(tag, below);
    const auto is_counted = hn::FirstN(tag, static_cast<std::size_t>(whole - last));
    sums = hn::IfThenElse(is_counted, hn::Zero(tag), weight);
    end = log ? below : weight;
  }
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    const auto below = hn::Sub(hn::LoadU(tag, x + i), largest);
    const auto weight = BoundedExp(tag, below);
    sums = hn::Add(sums, weight);
    hn::StoreU(log ? below : weight, tag, y + i);
  }
  const float sum = hn::GetLane(hn::SumOfLanes(tag, sums));
  const auto total = hn::Set(tag, log ? std::log(sum) : 1 / sum);
  const auto finish = [&](Vector number) HWY_ATTR {
    return log ? hn::Sub(number, total) : hn::Mul(number, total);
  };
  for (std::int64_t i = 0; i < whole; i += kLanes) {
    hn::StoreU(finish(hn::LoadU(tag, y + i)), tag, y + i);
  }
  if (whole < count) hn::StoreU(finish(end), tag, y + last);
}

void SoftmaxOfVector(const float* x, std::int64_t count, bool log, float* y) {
  float vector[kLanes];
  std::fill(std::copy_n(x, count, vector), vector + kLanes,
            -std::numeric_limits<float>::infinity());
  SoftmaxOfVectors(vector, kLanes, log, vector);
  std::copy_n(vector, count, y);
}

void SoftmaxOfLongRows(const float* x, std::int64_t rows, std::int64_t count, bool log, float* y) {
  for (const float* const end = x + rows * count; x < end; x += count, y += count) {
    count >= kLanes ? SoftmaxOfVectors(x, count, log, y) : SoftmaxOfVector(x, count, log, y);
  }
}

void SoftmaxOfRows(const SoftmaxBlock& block, const float* x, float* y, float* room) {
  const std::int64_t count = block.shape.count, inner = block.shape.inner;
  std::int64_t starts[kSoftmaxRows];
  std::int64_t plane = block.first / inner, column = block.first % inner;
  const bool together = block.rows == kSoftmaxRows && column + block.rows <= inner;
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
      std::copy_n(from + starts[0], kSoftmaxRows, to);
      continue;
    }
    for (std::int64_t r = 0; r < block.rows; ++r) to[r] = from[starts[r]];
    std::fill(to + block.rows, to + kSoftmaxRows, 0.0F);
  }
  for (std::int64_t r = 0; r < block.rows; r += kLanes) SoftenColumns(room + r, count, block.log);
  for (std::int64_t c = 0; c < count; ++c) {
    const float* const from = room + c * kSoftmaxRows;
    float* const to = y + c * inner;
    if (together) {
      std::copy_n(from, kSoftmaxRows, to + starts[0]);
      continue;
    }
    for (std::int64_t r = 0; r < block.rows; ++r) to[starts[r]] = from[r];
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(SoftmaxOfLongRows);
HWY_EXPORT(SoftmaxOfRows);

void SoftmaxOfLongRows(const float* x, std::int64_t rows, std::int64_t count, bool log, float* y) {
  HWY_DYNAMIC_DISPATCH(SoftmaxOfLongRows)(x, rows, count, log, y);
}

void SoftmaxOfRows(const SoftmaxBlock& block, const float* x, float* y, float* room) {
  HWY_DYNAMIC_DISPATCH(SoftmaxOfRows)(block, x, y, room);
}

}  // namespace slipway::runtime
#endif
