// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "runtime/kernels/dispatch.h"
#include "tests/support/op_run.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kCount = 3000;

/// Long runs of small numbers, and runs that have one of `wide` among them.
template <class From>
std::vector<From> Numbers(const std::vector<From>& wide) {
  std::vector<From> numbers;
  for (std::size_t i = 0; i < kCount; ++i) numbers.push_back(static_cast<From>(i % 331) - 165);
  for (std::size_t i = 0; i < wide.size(); ++i) numbers[kCount / 2 + 37 * i] = wide[i];
  return numbers;
}

template <class From, class To, class One>
void ExpectEach(const std::vector<From>& numbers, const One& one) {
  const Tensor x = Tensor::FromVector(kDTypeOf<From>, {static_cast<std::int64_t>(kCount)}, numbers);
  const std::string line =
      "Cast opset=13 x=f32[1] to=" + std::to_string(static_cast<int>(kDTypeOf<To>));
  const auto y = test::RunOpLine(line, {x});
  ASSERT_TRUE(y) << y.error().message;
  const auto made = (*y)[0].tensor()->data<To>();
  ASSERT_EQ(made.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_EQ(made[i], one(numbers[i])) << numbers[i];
}

template <class From, class To>
void ExpectWrapped() {
  SCOPED_TRACE(std::string(DTypeName(kDTypeOf<From>)) + " to " +
               std::string(DTypeName(kDTypeOf<To>)));
  const std::vector<From> wide = {0.9F,          -0.9F,          255.5F, -128.5F, 2147483520.0F,
                                  2147483648.0F, -2147483648.0F, 3e9F,   -3e9F,   9e18F};
  ExpectEach<From, To>(Numbers(wide),
                       [](From x) { return static_cast<To>(static_cast<std::int64_t>(x)); });
}

TEST(ConvertElements, WrapsFloatsFrom64BitsWhateverIsBeside) {
  ExpectWrapped<float, std::int8_t>();
  ExpectWrapped<float, std::uint8_t>();
  ExpectWrapped<float, std::int32_t>();
  ExpectWrapped<float, std::uint32_t>();
  ExpectWrapped<float, std::int64_t>();
  ExpectWrapped<double, std::int32_t>();
  ExpectWrapped<double, std::int64_t>();
}

TEST(ConvertElements, RoundsIntegersOnceWhateverIsBeside) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 31;
  const std::vector<std::int64_t> wide = {16777217,  16777219,   kHalf - 1, -kHalf,
                                          kHalf,     -kHalf - 1, 1LL << 40, (1LL << 53) + 1,
                                          INT64_MIN, INT64_MAX};
  const auto numbers = Numbers(wide);
  ExpectEach<std::int64_t, float>(numbers, [](std::int64_t x) { return static_cast<float>(x); });
  ExpectEach<std::int64_t, double>(numbers, [](std::int64_t x) { return static_cast<double>(x); });
}

TEST(ConvertElements, TakesNaNAndWhatIsFarOutAsTheLimits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> numbers = Numbers<float>({nan, infinity, -infinity, 3e19F, -1e30F});
  ExpectEach<float, std::int32_t>(numbers, [](float x) {
    if (std::isnan(x)) return 0;
    if (std::abs(x) < 1e9F) return static_cast<std::int32_t>(x);
    return x < 0 ? INT32_MIN : INT32_MAX;
  });
  ExpectEach<float, bool>(numbers, [](float x) { return x != 0; });
}

}  // namespace
}  // namespace slipway::runtime
