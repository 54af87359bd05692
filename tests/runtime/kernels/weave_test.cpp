// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/kernels/weave_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

/// Elements that are told apart, and some beside them.
template <class T>
std::vector<T> Elements(std::int64_t count) {
  std::vector<T> elements(static_cast<std::size_t>(count + 3));
  std::iota(elements.begin(), elements.end(), T{1});
  return elements;
}

template <class T>
void ExpectWovenAndBack(std::int64_t lines, std::int64_t count, std::int64_t step) {
  SCOPED_TRACE(std::to_string(lines) + " lines of " + std::to_string(count) + " elements of " +
               std::to_string(sizeof(T)) + " bytes");
  const std::vector<T> from = Elements<T>((lines - 1) * step + count);
  std::vector<T> woven(static_cast<std::size_t>(lines * count + 3), T{99}), expected = woven;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < lines; ++k) {
      expected[static_cast<std::size_t>(i * lines + k)] =
          from[static_cast<std::size_t>(k * step + i)];
    }
  }
  WeaveLines(from.data(), step, lines, count, sizeof(T), woven.data());
  EXPECT_EQ(woven, expected);
  if (step < count) return;
  std::vector<T> back(from.size(), T{98}), lines_alone = back;
  for (std::int64_t k = 0; k < lines; ++k) {
    std::copy_n(from.begin() + k * step, count, lines_alone.begin() + k * step);
  }
  UnweaveLines(woven.data(), lines, count, sizeof(T), back.data(), step);
  EXPECT_EQ(back, lines_alone);
}

class Weave : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(Weave, PutsEachElementInItsPlaceAndNoneBeside) {
  const test::OnlyTarget only(GetParam());
  for (std::int64_t lines = kFewestLines; lines <= kMostLines; ++lines) {
    for (const std::int64_t count : {0, 1, 3, 16, 29, 64, 131}) {
      for (const std::int64_t step : {std::int64_t{0}, count, count + 5}) {
        ExpectWovenAndBack<std::uint8_t>(lines, count, step);
        ExpectWovenAndBack<std::uint16_t>(lines, count, step);
        ExpectWovenAndBack<std::uint32_t>(lines, count, step);
        ExpectWovenAndBack<std::uint64_t>(lines, count, step);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Weave, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& test) { return std::string(hwy::TargetName(test.param)); });

}  // namespace
}  // namespace slipway::runtime
