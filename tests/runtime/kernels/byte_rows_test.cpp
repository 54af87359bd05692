// SPDX-License-Identifier: Apache-2.0
// Rows of what products of bytes are made of, on every set of instructions that this machine has.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "runtime/kernels/byte_rows_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

std::vector<float> Numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = normal(random);
  return numbers;
}

class ByteRows : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(ByteRows, HaveALargestMagnitude) {
  const test::OnlyTarget target(GetParam());
  EXPECT_EQ(LargestMagnitude({}), 0);
  for (const std::size_t count : {1U, 7U, 16U, 67U}) {
    for (std::size_t at = 0; at < count; ++at) {
      std::vector<float> x = Numbers(count, static_cast<std::uint32_t>(count));
      x[at] = -1000;
      EXPECT_EQ(LargestMagnitude(x), 1000) << at;
      x[at] = -std::numeric_limits<float>::infinity();
      EXPECT_EQ(LargestMagnitude(x), std::numeric_limits<float>::infinity()) << at;
      x[at] = -std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(std::isnan(LargestMagnitude(x))) << at;
    }
  }
}

TEST_P(ByteRows, AreScaledAndHeldWithinBounds) {
  const test::OnlyTarget target(GetParam());
  for (const std::size_t count : {1U, 8U, 45U}) {
    const std::vector<float> y = Numbers(count, 1), columns = Numbers(count, 2);
    const std::vector<float> added = Numbers(count, 3);
    for (const bool adds : {false, true}) {
      const RowScale scale{.row = 0.5F,
                           .columns = columns.data(),
                           .added = adds ? added.data() : nullptr,
                           .bounds = {.least = -1, .most = 2}};
      std::vector<float> made = y;
      made[0] = std::numeric_limits<float>::quiet_NaN();
      ScaleSums(scale, made);
      EXPECT_TRUE(std::isnan(made[0]));
      for (std::size_t j = 1; j < count; ++j) {
        const float sum = y[j] * (0.5F * columns[j]) + (adds ? added[j] : 0.0F);
        EXPECT_NEAR(made[j], scale.bounds.Held(sum), 1e-5F) << j;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ByteRows,
                         ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& test) { return std::string(hwy::TargetName(test.param)); });

}  // namespace
}  // namespace slipway::runtime
