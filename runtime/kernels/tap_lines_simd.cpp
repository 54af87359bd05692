// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/tap_lines_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/tap_lines_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Four = hn::CappedTag<float, 4>;

/// The taps' positions that the line has.
LineTap TapOf(const TapLine& line, std::size_t tap) {
  const LineTap& all = line.taps[tap];
  return {.shift = all.shift,
          .begin = std::max(line.begin, all.begin),
          .end = std::min(line.end, all.end)};
}

void AddSome(const TapLine& line, std::size_t tap, std::int64_t begin, std::int64_t end) {
  const float* const x = line.x + static_cast<std::int64_t>(tap) * line.x_stride;
  float* const y = line.y + line.taps[tap].shift;
  for (std::int64_t j = begin; j < end; ++j) y[j * line.stride] += x[j];
}

void AddEachTap(const TapLine& line) {
  for (std::size_t tap = 0; tap < line.taps.size(); ++tap) {
    const LineTap at = TapOf(line, tap);
    AddSome(line, tap, at.begin, at.end);
  }
}

void AddSideBySide(const TapLine& line) {
  const Floats tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::size_t tap = 0; tap < line.taps.size(); ++tap) {
    const LineTap at = TapOf(line, tap);
    const float* const x = line.x + static_cast<std::int64_t>(tap) * line.x_stride;
    float* const y = line.y + at.shift;
    std::int64_t j = at.begin;
    for (; j + lanes <= at.end; j += lanes) {
      hn::StoreU(hn::Add(hn::LoadU(tag, y + j), hn::LoadU(tag, x + j)), tag, y + j);
    }
    AddSome(line, tap, j, at.end);
  }
}

/// Positions [j, end) of two taps by whole vectors, as far as there are: where that ends.
template <class Tag>
std::int64_t AddPair(Tag tag, const float* x, const float* other, std::int64_t j, std::int64_t end,
                     float* y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (; j + lanes <= end; j += lanes) {
    hn::Vec<Tag> first, second;
    hn::LoadInterleaved2(tag, y + 2 * j, first, second);
    first = hn::Add(first, hn::LoadU(tag, x + j));
    second = hn::Add(second, hn::LoadU(tag, other + j));
    hn::StoreInterleaved2(first, second, tag, y + 2 * j);
  }
  return j;
}

/// Two taps that follow each other have what lies side by side in the output.
void AddPairs(const TapLine& line) {
  std::size_t tap = 0;
  for (; tap + 2 <= line.taps.size(); tap += 2) {
    const LineTap even = TapOf(line, tap);
    const LineTap odd = TapOf(line, tap + 1);
    const float* const x = line.x + static_cast<std::int64_t>(tap) * line.x_stride;
    const std::int64_t end = std::min(even.end, odd.end);
    std::int64_t j = std::min(std::max(even.begin, odd.begin), end);
    AddSome(line, tap, even.begin, j);
    AddSome(line, tap + 1, odd.begin, j);
    j = AddPair(Floats(), x, x + line.x_stride, j, end, line.y + even.shift);
    j = AddPair(Four(), x, x + line.x_stride, j, end, line.y + even.shift);
    AddSome(line, tap, std::max(j, even.begin), even.end);
    AddSome(line, tap + 1, std::max(j, odd.begin), odd.end);
  }
  if (tap == line.taps.size()) return;
  const LineTap last = TapOf(line, tap);
  AddSome(line, tap, last.begin, last.end);
}

void AddTaps(const TapLine& line) {
  if (line.stride == 1) return AddSideBySide(line);
  if (line.in_pairs) return AddPairs(line);
  AddEachTap(line);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(AddTaps);

void AddTaps(const TapLine& line) { HWY_DYNAMIC_DISPATCH(AddTaps)(line); }

}  // namespace slipway::runtime
#endif
