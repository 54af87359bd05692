// SPDX-License-Identifier: Apache-2.0
/// The runs in which operands are gone through, beside every element's own place.
#include "runtime/kernels/broadcast.h"

#include <gtest/gtest.h>

#include <random>

namespace slipway::runtime {
namespace {

/// Where element `at` of `out` is in an operand.
std::int64_t PlaceOf(std::int64_t at, const Shape& out, const Shape& operand) {
  std::int64_t place = 0, stride = 1;
  for (std::size_t d = 0; d < out.size(); ++d) {
    const std::int64_t index = at % out[out.size() - 1 - d];
    at /= out[out.size() - 1 - d];
    if (d >= operand.size()) continue;
    const std::int64_t dim = operand[operand.size() - 1 - d];
    if (dim != 1) place += index * stride;
    stride *= dim;
  }
  return place;
}

TEST(Broadcast, RunsGoThroughEveryElementOnce) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    Shape out;
    for (std::size_t rank = random() % 5; out.size() < rank;) {
      out.push_back(1 + static_cast<std::int64_t>(random() % 4));
    }
    std::vector<Shape> operands;
    for (int i = 0; i < 3; ++i) {
      Shape shape = out;
      for (std::int64_t& dim : shape) dim = random() % 3 == 0 ? 1 : dim;
      shape.erase(shape.begin(),
                  shape.begin() + static_cast<std::ptrdiff_t>(random() % (shape.size() + 1)));
      operands.push_back(shape);
    }
    const BroadcastPlan plan = PlanBroadcast(out, operands);
    const auto size = static_cast<std::uint64_t>(plan.size);
    const auto begin = static_cast<std::int64_t>(random() % (size + 1));
    const auto end = begin + static_cast<std::int64_t>(
                                 random() % (size - static_cast<std::uint64_t>(begin) + 1));
    std::int64_t next = begin;
    ForEachRun(plan, begin, end,
               [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                 EXPECT_EQ(at, next);
                 next += count;
                 for (std::size_t i = 0; i < operands.size(); ++i) {
                   for (std::int64_t k = 0; k < count; ++k) {
                     EXPECT_EQ(from[i] + k * plan.inner_stride(i),
                               PlaceOf(at + k, out, operands[i]));
                   }
                 }
               });
    EXPECT_EQ(next, std::max(begin, end));
  }
}

}  // namespace
}  // namespace slipway::runtime
