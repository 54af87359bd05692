// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/memory_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "base/limits.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kAlignment = 64;
constexpr std::size_t kMostForBestFit = 8192;
/// Orders that are tried, and pairs of buffers that are looked at for that.
constexpr std::size_t kMostTries = 32;
constexpr std::size_t kMostPairs = 4'000'000;

std::int64_t Rounded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t MostLive(std::span<const Interval> intervals) {
  std::map<std::int64_t, std::int64_t> changes;
  for (const Interval& interval : intervals) {
    changes[interval.first] += Rounded(interval.bytes);
    changes[interval.last + 1] -= Rounded(interval.bytes);
  }
  std::int64_t live = 0, most = 0;
  for (const auto& [step, change] : changes) {
    live += change;
    most = std::max(most, live);
  }
  return most;
}

struct Placed {
  std::int64_t offset, end;
};

/// The smallest gap between sorted blocks that takes `bytes`, else the place after the last.
std::int64_t BestGap(const std::vector<Placed>& blocks, std::int64_t bytes) {
  std::int64_t best = -1, best_size = std::numeric_limits<std::int64_t>::max(), at = 0;
  for (const Placed& block : blocks) {
    const std::int64_t gap = block.offset - at;
    if (gap >= bytes && gap < best_size) {
      best = at;
      best_size = gap;
    }
    at = std::max(at, block.end);
  }
  return best >= 0 ? best : at;
}

using Order = std::vector<std::size_t>;

/// Places buffers one after the other, each into the smallest gap it fits; gives the one that
/// reaches highest.
std::size_t PlaceEach(std::span<const Interval> intervals, const Order& order, MemoryPlan& plan) {
  std::vector<std::size_t> done;
  std::vector<Placed> alive;
  std::size_t highest = 0;
  std::int64_t most = -1;
  for (std::size_t i : order) {
    alive.clear();
    for (std::size_t j : done) {
      if (intervals[j].first > intervals[i].last || intervals[j].last < intervals[i].first) {
        continue;
      }
      alive.push_back({plan.offsets[j], plan.offsets[j] + Rounded(intervals[j].bytes)});
    }
    std::ranges::sort(alive, {}, &Placed::offset);
    plan.offsets[i] = BestGap(alive, Rounded(intervals[i].bytes));
    const std::int64_t end = plan.offsets[i] + Rounded(intervals[i].bytes);
    if (end > most) highest = i;
    most = std::max(most, end);
    if (intervals[i].bytes > 0) done.push_back(i);
  }
  plan.bytes = std::max<std::int64_t>(0, most);
  return highest;
}

/// Large ones first, or those that are large for long; then those first that reached highest, as
/// long as memory is wasted.
void PlaceBySize(std::span<const Interval> intervals, MemoryPlan& plan) {
  const auto size = [&](std::size_t i) { return static_cast<double>(intervals[i].bytes); };
  const auto extent = [&](std::size_t i) {
    return size(i) * static_cast<double>(intervals[i].last - intervals[i].first + 1);
  };
  const std::size_t tries = std::min<std::size_t>(
      kMostTries, kMostPairs / std::max<std::size_t>(1, intervals.size() * intervals.size()));
  plan.bytes = -1;
  MemoryPlan next = plan;
  for (const bool by_extent : {false, true}) {
    Order order(intervals.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      return by_extent ? extent(a) > extent(b) : size(a) > size(b);
    });
    for (std::size_t i = 0; i <= tries && plan.bytes != plan.live_bytes; ++i) {
      const std::size_t highest = PlaceEach(intervals, order, next);
      if (plan.bytes < 0 || next.bytes < plan.bytes) plan = next;
      const auto at = std::ranges::find(order, highest);
      if (at == order.begin()) break;
      std::rotate(order.begin(), at, at + 1);
    }
  }
}

void PlaceInOrder(std::span<const Interval> intervals, MemoryPlan& plan) {
  std::vector<std::size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return intervals[i].first; });
  std::multimap<std::int64_t, std::size_t> ends;
  std::map<std::int64_t, std::int64_t> free_blocks;
  const auto give_back = [&](std::int64_t offset, std::int64_t bytes) {
    auto next = free_blocks.lower_bound(offset);
    if (next != free_blocks.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = free_blocks.erase(next);
    }
    if (next != free_blocks.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += bytes;
        return;
      }
    }
    free_blocks.emplace(offset, bytes);
  };
  for (std::size_t i : order) {
    while (!ends.empty() && ends.begin()->first < intervals[i].first) {
      const std::size_t over = ends.begin()->second;
      give_back(plan.offsets[over], Rounded(intervals[over].bytes));
      ends.erase(ends.begin());
    }
    const std::int64_t bytes = Rounded(intervals[i].bytes);
    if (bytes == 0) continue;
    auto fit = std::ranges::find_if(free_blocks, [&](const auto& b) { return b.second >= bytes; });
    if (fit != free_blocks.end()) {
      const auto [offset, size] = *fit;
      free_blocks.erase(fit);
      plan.offsets[i] = offset;
      if (size > bytes) free_blocks.emplace(offset + bytes, size - bytes);
    } else {
      plan.offsets[i] = plan.bytes;
      plan.bytes += bytes;
    }
    ends.emplace(intervals[i].last, i);
  }
}

}  // namespace

Result<MemoryPlan> PlanMemory(std::span<const Interval> intervals) {
  std::int64_t total = 0;
  for (const Interval& interval : intervals) {
    const std::int64_t padded = TRY(CheckedAdd(interval.bytes, kAlignment, "working memory"));
    total = TRY(CheckedAdd(total, padded, "working memory"));
  }
  MemoryPlan plan{.offsets = std::vector<std::int64_t>(intervals.size(), 0)};
  plan.live_bytes = MostLive(intervals);
  if (intervals.size() <= kMostForBestFit) {
    PlaceBySize(intervals, plan);
  } else {
    PlaceInOrder(intervals, plan);
  }
  return plan;
}

}  // namespace slipway::runtime
