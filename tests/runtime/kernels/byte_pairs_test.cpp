// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels/byte_pairs_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

constexpr double kScale[] = {0.1F, 0.0307F}, kZero[] = {7, -3};
constexpr std::int64_t kMost = 256;

/// Every byte once, in another order for each seed.
std::vector<std::uint8_t> Bytes(std::int64_t seed) {
  std::vector<std::uint8_t> made;
  for (std::int64_t i = 0; i < kMost; ++i) made.push_back(static_cast<std::uint8_t>(seed * i + 5));
  return made;
}

double RealAt(const QuantisedRow& row, std::int64_t at) {
  const std::uint8_t byte = static_cast<const std::uint8_t*>(row.elements)[at * row.step];
  const double number = row.is_signed && byte > 127 ? byte - 256 : byte;
  return (number - row.zero) * row.scale;
}

class BytePairs : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(BytePairs, AreCombinedToTheLastBitAndNoneBeside) {
  const test::OnlyTarget only(GetParam());
  const std::vector<std::uint8_t> left = Bytes(3), right = Bytes(7);
  for (const bool is_signed : {false, true}) {
    for (const std::int64_t a_step : {0, 1}) {
      for (const std::int64_t b_step : {0, 1}) {
        const QuantisedRow a{left.data(), a_step, is_signed, kScale[0], kZero[0]};
        const QuantisedRow b{right.data(), b_step, is_signed, kScale[1], kZero[1]};
        for (const std::int64_t count :
             {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, std::int64_t{19}, kMost}) {
          SCOPED_TRACE(std::to_string(is_signed) + std::to_string(a_step) + std::to_string(b_step) +
                       " " + std::to_string(count));
          std::vector<float> sums(static_cast<std::size_t>(count) + 1, 99), products = sums;
          std::vector<float> expected_sums = sums, expected_products = sums;
          for (std::int64_t i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            expected_sums[at] = static_cast<float>(RealAt(a, i) + RealAt(b, i));
            expected_products[at] = static_cast<float>(RealAt(a, i) * RealAt(b, i));
          }
          AddQuantised(a, b, sums.data(), count);
          MultiplyQuantised(a, b, products.data(), count);
          EXPECT_EQ(sums, expected_sums);
          EXPECT_EQ(products, expected_products);
        }
      }
    }
  }
}

/// Scales by which sums and products are halfway between bytes, and others.
TEST_P(BytePairs, AreTheBytesThatTheirRealNumbersAre) {
  const test::OnlyTarget only(GetParam());
  const std::vector<std::uint8_t> left = Bytes(3), right = Bytes(7);
  for (const bool is_signed : {false, true}) {
    for (const std::int64_t a_step : {0, 1}) {
      for (const std::int64_t b_step : {0, 1}) {
        for (const double scale : {0.5, 0.1, 1e-3, 1e-12}) {
          for (const std::int64_t count :
               {std::int64_t{0}, std::int64_t{5}, std::int64_t{83}, kMost}) {
            const QuantisedRow a{left.data(), a_step, is_signed, scale, kZero[0]};
            const QuantisedRow b{right.data(), b_step, is_signed, 0.25, kZero[1]};
            const ByteScale bytes{.scale = 1,
                                  .zero = is_signed ? -3 : 100,
                                  .least = is_signed ? -128 : 0,
                                  .most = is_signed ? 127 : 255};
            const auto size = static_cast<std::size_t>(count);
            std::vector<float> sums(size), products(size);
            std::vector<std::uint8_t> y(size + 1, 77), expected = y;
            AddQuantised(a, b, sums.data(), count);
            QuantizeToBytes(sums, bytes, expected.data());
            AddToBytes(a, b, bytes, y.data(), count);
            EXPECT_EQ(y, expected) << scale << " " << count;
            MultiplyQuantised(a, b, products.data(), count);
            QuantizeToBytes(products, bytes, expected.data());
            MultiplyToBytes(a, b, bytes, y.data(), count);
            EXPECT_EQ(y, expected) << scale << " " << count;
          }
        }
      }
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<std::int64_t>& test) {
  return hwy::TargetName(test.param);
}

INSTANTIATE_TEST_SUITE_P(Targets, BytePairs,
                         ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), NameOf);

}  // namespace
}  // namespace slipway::runtime
