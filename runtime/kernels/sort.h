// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "runtime/bounds.h"

/// Sorting of many items, which a run's deadline ends.
namespace slipway::runtime {

namespace sorting {

inline constexpr std::int64_t kBlock = 1 << 16;  ///< comparisons of a block do not take long

/// Merges the sorted halves of from[first, end) that meet at `middle`; false as SortItems.
template <class Before>
bool Merge(std::span<const std::int64_t> from, std::span<std::int64_t> to, std::size_t first,
           std::size_t middle, std::size_t end, Pause& pause, std::int64_t work,
           const Before& before) {
  std::size_t left = first, right = middle, out = first;
  while (left < middle && right < end) {
    if (pause.MustStop(work)) return false;
    to[out++] = before(from[right], from[left]) ? from[right++] : from[left++];
  }
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(left),
            from.begin() + static_cast<std::ptrdiff_t>(middle),
            to.begin() + static_cast<std::ptrdiff_t>(out));
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(right),
            from.begin() + static_cast<std::ptrdiff_t>(end),
            to.begin() + static_cast<std::ptrdiff_t>(out + middle - left));
  return true;
}

}  // namespace sorting

/// Sorts by `before`, a strict order in which no two items are equal; one comparison costs about
/// `work` operations on numbers. False, and the items in any order, where the run is to end.
template <class Before>
bool SortItems(std::span<std::int64_t> items, std::int64_t work, const Before& before) {
  const std::size_t count = items.size();
  const auto block = static_cast<std::size_t>(std::clamp<std::int64_t>(
      sorting::kBlock / std::max<std::int64_t>(work, 1), 2, sorting::kBlock));
  for (std::size_t at = 0; at < count; at += block) {
    if (MustStop()) return false;
    const std::span<std::int64_t> part = items.subspan(at, std::min(block, count - at));
    std::sort(part.begin(), part.end(), before);
  }
  if (count <= block) return true;
  constexpr std::int64_t kFetch = 16;
  Pause pause;
  CountedVector<std::int64_t> room(count);
  std::span<std::int64_t> from = items, to = room;
  for (std::size_t width = block; width < count; width *= 2) {
    for (std::size_t first = 0; first < count; first += 2 * width) {
      const std::size_t middle = std::min(first + width, count);
      const std::size_t end = std::min(first + 2 * width, count);
      if (!sorting::Merge(from, to, first, middle, end, pause, work + kFetch, before)) return false;
    }
    std::swap(from, to);
  }
  if (from.data() != items.data()) std::copy(from.begin(), from.end(), items.begin());
  return true;
}

/// `items` becomes the first `wanted` of the items [0, count) in that order, sorted. False where
/// the run is to end.
template <class Before>
bool FirstItems(std::int64_t count, std::int64_t wanted, const Before& before,
                CountedVector<std::int64_t>& items) {
  items.clear();
  const auto take = [&items](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) items.push_back(i);
  };
  const auto kept = [&] { return items.begin() + static_cast<std::ptrdiff_t>(wanted); };
  if (wanted > 16 * sorting::kBlock) {
    items.reserve(static_cast<std::size_t>(count));
    take(0, count);
    if (!SortItems(std::span<std::int64_t>(items), 1, before)) return false;
    items.erase(kept(), items.end());
    return true;
  }
  const std::int64_t block = std::max(2 * wanted, sorting::kBlock);
  items.reserve(static_cast<std::size_t>(std::min(count, wanted + block)));
  for (std::int64_t at = 0; at < count; at += block) {
    if (MustStop()) return false;
    take(at, std::min(at + block, count));
    if (static_cast<std::int64_t>(items.size()) <= wanted) continue;
    std::nth_element(items.begin(), kept(), items.end(), before);
    items.erase(kept(), items.end());
  }
  return SortItems(std::span<std::int64_t>(items), 1, before);
}

}  // namespace slipway::runtime
