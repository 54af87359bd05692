// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace slipway::runtime {
namespace {

bool Overlap(const Interval& a, const Interval& b) {
  return a.first <= b.last && b.first <= a.last;
}

void ExpectValid(const std::vector<Interval>& intervals, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), intervals.size());
  EXPECT_GE(plan.bytes, plan.live_bytes);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0);
    EXPECT_LE(plan.offsets[i] + intervals[i].bytes, plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!Overlap(intervals[i], intervals[j])) continue;
      if (intervals[i].bytes == 0 || intervals[j].bytes == 0) continue;
      const bool apart = plan.offsets[i] + intervals[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + intervals[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart) << i << " and " << j;
    }
  }
}

std::vector<Interval> RandomIntervals(std::mt19937& random, std::size_t count) {
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = static_cast<std::int64_t>(random() % 50);
    intervals.push_back({.first = first,
                         .last = first + static_cast<std::int64_t>(random() % 8),
                         .bytes = static_cast<std::int64_t>(random() % 5000)});
  }
  return intervals;
}

TEST(MemoryPlan, AChainNeedsTwoBuffers) {
  const std::vector<Interval> chain = {{0, 1, 100}, {1, 2, 100}, {2, 3, 100}, {3, 4, 100}};
  const auto plan = PlanMemory(chain);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->bytes, 256);
  EXPECT_EQ(plan->live_bytes, 256);
  ExpectValid(chain, *plan);
}

TEST(MemoryPlan, TakesTheSmallestGap) {
  const std::vector<Interval> intervals = {{0, 9, 640}, {0, 2, 512}, {0, 9, 448}, {0, 2, 128},
                                           {0, 9, 64},  {4, 6, 128}, {4, 6, 500}};
  const auto plan = PlanMemory(intervals);
  ASSERT_TRUE(plan);
  ExpectValid(intervals, *plan);
  EXPECT_EQ(plan->bytes, plan->live_bytes);
}

TEST(MemoryPlan, NoTwoThatLiveTogetherOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const auto intervals = RandomIntervals(random, 1 + random() % 60);
    const auto plan = PlanMemory(intervals);
    ASSERT_TRUE(plan);
    ExpectValid(intervals, *plan);
  }
}

TEST(MemoryPlan, ManyBuffersArePlacedInTime) {
  std::vector<Interval> intervals;
  for (std::int64_t i = 0; i < 200'000; ++i) {
    intervals.push_back({.first = i, .last = i + 2, .bytes = 64 + i % 7 * 64});
  }
  const auto plan = PlanMemory(intervals);
  ASSERT_TRUE(plan);
  for (std::size_t i = 2; i < intervals.size(); ++i) {
    for (std::size_t j = i - 2; j < i; ++j) {
      EXPECT_TRUE(plan->offsets[i] + intervals[i].bytes <= plan->offsets[j] ||
                  plan->offsets[j] + intervals[j].bytes <= plan->offsets[i]);
    }
  }
  EXPECT_LT(plan->bytes, 16 * plan->live_bytes);
}

TEST(MemoryPlan, RefusesWhatDoesNotFit) {
  const std::vector<Interval> intervals = {{0, 1, INT64_MAX - 64}, {0, 1, INT64_MAX - 64}};
  const auto plan = PlanMemory(intervals);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::kResourceExhausted);
}

/// Chains with connections over some steps, as networks have them.
TEST(MemoryPlan, WastesLittleOfNetworks) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    std::vector<Interval> intervals;
    for (std::int64_t step = 0; step < 60; ++step) {
      const std::int64_t reach =
          random() % 4 == 0 ? 2 + static_cast<std::int64_t>(random() % 20) : 1;
      const auto bytes = static_cast<std::int64_t>(64 * (1 + random() % 2000));
      intervals.push_back({.first = step, .last = step + reach, .bytes = bytes});
      if (random() % 3 == 0) intervals.push_back({.first = step, .last = step, .bytes = bytes / 2});
    }
    const auto plan = PlanMemory(intervals);
    ASSERT_TRUE(plan);
    ExpectValid(intervals, *plan);
    EXPECT_LE(plan->bytes, plan->live_bytes * 11 / 10) << seed;
  }
}

}  // namespace
}  // namespace slipway::runtime
