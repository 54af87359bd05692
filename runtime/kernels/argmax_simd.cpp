// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/argmax_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/argmax_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kLeastPlaces>;
using OneTag = hn::CappedTag<float, 1>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

/// Which of `x` take the place of `best`, that came before.
template <bool largest, bool last, class V>
HWY_INLINE auto IsBetter(V x, V best) {
  const auto is_odd = hn::IsNaN(x);
  if constexpr (last) {
    return hn::Or(is_odd, largest ? hn::Ge(x, best) : hn::Le(x, best));
  } else {
    const auto is_beyond = largest ? hn::Gt(x, best) : hn::Lt(x, best);
    return hn::AndNot(hn::IsNaN(best), hn::Or(is_odd, is_beyond));
  }
}

/// For each lane of `count` vectors `step` apart: its best number, and which vector has it.
template <bool largest, bool last, class D>
HWY_INLINE void Lead(D tag, const float* x, std::int64_t count, std::int64_t step, float* numbers,
                     std::int32_t* places) {
  const hn::RebindToSigned<D> whole;
  auto best = hn::LoadU(tag, x);
  auto at = hn::Zero(whole), here = at;
  for (std::int64_t i = 1; i < count; ++i) {
    const auto number = hn::LoadU(tag, x + i * step);
    const auto is_better = IsBetter<largest, last>(number, best);
    here = hn::Add(here, hn::Set(whole, 1));
    best = hn::IfThenElse(is_better, number, best);
    at = hn::IfThenElse(hn::RebindMask(whole, is_better), here, at);
  }
  hn::StoreU(best, tag, numbers);
  hn::StoreU(at, whole, places);
}

/// The best of some numbers and places, in any order.
template <bool largest, bool last>
struct Leader {
  float number;
  std::int64_t place;

  void Meet(float x, std::int64_t at) {
    const bool is_odd = x != x, was_odd = number != number;
    const bool same = x == number || (is_odd && was_odd);
    const bool beyond = largest ? x > number : x < number;
    const bool better = same ? (last ? at > place : at < place) : !was_odd && (is_odd || beyond);
    if (better) *this = {x, at};
  }
};

template <bool largest, bool last>
std::int64_t Row(const float* x, std::int64_t count) {
  float numbers[kLanes];
  std::int32_t places[kLanes];
  const std::int64_t vectors = count / kLanes;
  Lead<largest, last>(Tag(), x, vectors, kLanes, numbers, places);
  Leader<largest, last> leader{numbers[0], places[0] * kLanes};
  for (std::int64_t i = 1; i < kLanes; ++i) leader.Meet(numbers[i], places[i] * kLanes + i);
  for (std::int64_t i = vectors * kLanes; i < count; ++i) leader.Meet(x[i], i);
  return leader.place;
}

template <bool largest, bool last>
void Columns(const float* x, std::int64_t count, std::int64_t step, std::int64_t columns,
             std::int64_t* places) {
  float best[kLanes];
  std::int32_t at[kLanes];
  std::int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    Lead<largest, last>(Tag(), x + c, count, step, best, at);
    std::copy_n(at, kLanes, places + c);
  }
  for (; c < columns; ++c) {
    Lead<largest, last>(OneTag(), x + c, count, step, best, at);
    places[c] = at[0];
  }
}

std::int64_t PlaceInRow(const Best& best, const float* x, std::int64_t count) {
  if (best.last) return best.largest ? Row<true, true>(x, count) : Row<false, true>(x, count);
  return best.largest ? Row<true, false>(x, count) : Row<false, false>(x, count);
}

void PlacesInColumns(const Best& best, const float* x, std::int64_t count, std::int64_t step,
                     std::int64_t columns, std::int64_t* places) {
  const auto run = best.last ? (best.largest ? Columns<true, true> : Columns<false, true>)
                             : (best.largest ? Columns<true, false> : Columns<false, false>);
  run(x, count, step, columns, places);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(PlaceInRow);
HWY_EXPORT(PlacesInColumns);

std::int64_t PlaceInRow(const Best& best, const float* x, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(PlaceInRow)(best, x, count);
}

void PlacesInColumns(const Best& best, const float* x, std::int64_t count, std::int64_t step,
                     std::int64_t columns, std::int64_t* places) {
  HWY_DYNAMIC_DISPATCH(PlacesInColumns)(best, x, count, step, columns, places);
}

}  // namespace slipway::runtime
#endif
