// SPDX-License-Identifier: Apache-2.0
// Four rows of bytes side by side, and rows of such quads, on every set of instructions.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels/byte_quads_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

constexpr std::uint8_t kBeyond = 77;

std::vector<std::uint8_t> Bytes(std::int64_t count) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<std::uint8_t>(i * 31 + i / 7));
  return bytes;
}

class ByteQuads : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(ByteQuads, LieSideBySide) {
  const test::OnlyTarget only(GetParam());
  const std::vector<std::uint8_t> x = Bytes(1000);
  for (const std::int64_t count : {0, 1, 15, 64, 131}) {
    for (const std::uint8_t flip : {std::uint8_t{0}, std::uint8_t{0x80}}) {
      const std::array<const std::uint8_t*, 4> rows = {x.data(), x.data() + 200, x.data() + 401,
                                                       x.data() + 401};
      std::vector<std::uint8_t> y(static_cast<std::size_t>(count) * 4 + 1, kBeyond), expected = y;
      for (std::size_t i = 0; i + 1 < y.size(); ++i) {
        expected[i] = static_cast<std::uint8_t>(rows[i % 4][i / 4] ^ flip);
      }
      InterleaveBytes(rows, count, flip, y.data());
      EXPECT_EQ(y, expected) << count;
    }
  }
}

TEST_P(ByteQuads, AreCopiedAndNoneBeside) {
  const test::OnlyTarget only(GetParam());
  constexpr std::int64_t kRows = 3, kStep = 100 * 4;
  for (const std::int64_t stride : {1, 2, 3}) {
    for (const std::int64_t count : {1, 7, 16, 21}) {
      const std::vector<std::uint8_t> x = Bytes(kRows * kStep + kBehindQuads);
      std::vector<std::uint8_t> y(kRows * kStep, kBeyond), expected = y;
      for (std::int64_t row = 0; row < kRows; ++row) {
        for (std::int64_t i = 0; i < count * 4; ++i) {
          expected[static_cast<std::size_t>(row * kStep + 8 + i)] =
              x[static_cast<std::size_t>(row * kStep + 4 + i / 4 * stride * 4 + i % 4)];
        }
      }
      CopyQuads({.from = x.data() + 4,
                 .from_step = kStep,
                 .to = y.data() + 8,
                 .to_step = kStep,
                 .rows = kRows,
                 .count = count,
                 .stride = stride});
      EXPECT_EQ(y, expected) << stride << " " << count;
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<std::int64_t>& test) {
  return hwy::TargetName(test.param);
}

INSTANTIATE_TEST_SUITE_P(Targets, ByteQuads,
                         ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), NameOf);

}  // namespace
}  // namespace slipway::runtime
