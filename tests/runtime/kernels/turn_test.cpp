// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/kernels/turn_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

struct Matrix {
  std::int64_t rows, columns, from_step, to_step;
};

class Turn : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(Turn, PutsEachElementInItsPlaceAndNoneBeside) {
  const test::OnlyTarget only(GetParam());
  for (const Matrix& m : {Matrix{1, 1, 1, 1}, Matrix{4, 4, 4, 4}, Matrix{3, 50, 3, 50},
                          Matrix{50, 3, 64, 3}, Matrix{37, 41, 40, 2048}, Matrix{41, 37, 2048, 40},
                          Matrix{16, 16, 16, 16}, Matrix{0, 5, 1, 5}, Matrix{5, 0, 5, 1}}) {
    SCOPED_TRACE(std::to_string(m.rows) + " x " + std::to_string(m.columns));
    std::vector<std::uint32_t> from(static_cast<std::size_t>(m.columns * m.from_step + m.rows));
    std::iota(from.begin(), from.end(), 1);
    std::vector<std::uint32_t> to(static_cast<std::size_t>(m.rows * m.to_step + m.columns), 0);
    std::vector<std::uint32_t> expected = to;
    for (std::int64_t row = 0; row < m.rows; ++row) {
      for (std::int64_t column = 0; column < m.columns; ++column) {
        expected[static_cast<std::size_t>(row * m.to_step + column)] =
            from[static_cast<std::size_t>(column * m.from_step + row)];
      }
    }
    TurnWords(from.data(), m.from_step, to.data(), m.to_step, m.rows, m.columns);
    EXPECT_EQ(to, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Turn, ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& test) { return std::string(hwy::TargetName(test.param)); });

}  // namespace
}  // namespace slipway::runtime
