// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/half_simd.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

namespace slipway::runtime {
namespace {

template <class T>
class HalfSimd : public ::testing::Test {};
using Types = ::testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(HalfSimd, Types);

TYPED_TEST(HalfSimd, WidensEveryNumberAsOneByOne) {
  std::vector<TypeParam> x;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    x.push_back(TypeParam::FromBits(static_cast<std::uint16_t>(bits)));
  }
  x.resize(x.size() - 3);  // the last vector is not whole
  std::vector<float> y(x.size());
  WidenHalf(std::span<const TypeParam>(x), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto expected = std::bit_cast<std::uint32_t>(static_cast<float>(x[i]));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), expected) << i;
  }
}

TYPED_TEST(HalfSimd, NarrowsAsOneByOne) {
  std::vector<float> x;
  const auto add = [&](std::uint32_t bits) { x.push_back(std::bit_cast<float>(bits)); };
  constexpr std::uint64_t kStep = 7919;
  for (std::uint64_t bits = 0; bits >> 32 == 0; bits += kStep) {
    add(static_cast<std::uint32_t>(bits));
  }
  // Numbers of 16 bits, the middle between two, and their neighbours.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = TypeParam::FromBits(static_cast<std::uint16_t>(bits));
    const auto wide = std::bit_cast<std::uint32_t>(static_cast<float>(half));
    for (const std::uint32_t middle : {0U, 0x1000U, 0x8000U}) {
      for (const std::uint32_t near : {0xffffffffU, 0U, 1U}) add(wide + middle + near);
    }
  }
  x.resize(x.size() - 1);
  std::vector<TypeParam> y(x.size());
  NarrowToHalf(std::span<const float>(x), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(y[i].bits, TypeParam(x[i]).bits) << std::bit_cast<std::uint32_t>(x[i]);
  }
}

}  // namespace
}  // namespace slipway::runtime
