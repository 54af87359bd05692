// SPDX-License-Identifier: Apache-2.0
// The fast Fourier transforms against the definition.
#include "runtime/kernels/fourier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace slipway::runtime {
namespace {

using Complex = std::complex<double>;

std::vector<Complex> RandomLine(std::int64_t length) {
  std::mt19937 random(static_cast<std::uint32_t>(length));
  std::uniform_real_distribution<double> number(-1, 1);
  std::vector<Complex> line(static_cast<std::size_t>(length));
  for (Complex& x : line) x = {number(random), number(random)};
  return line;
}

std::vector<Complex> ByDefinition(const std::vector<Complex>& x, bool inverse) {
  const auto count = static_cast<double>(x.size());
  std::vector<Complex> made(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double turns = static_cast<double>(k * i % x.size()) / count;
      made[k] += x[i] * std::polar(1.0, (inverse ? 2 : -2) * std::numbers::pi * turns);
    }
  }
  return made;
}

template <class T>
void ExpectDefinition(std::int64_t length, bool inverse, double tolerance) {
  const std::vector<Complex> line = RandomLine(length);
  std::vector<std::complex<T>> x(line.begin(), line.end());
  const auto fourier = Fourier<T>::Of(length, inverse);
  ASSERT_TRUE(fourier) << fourier.error().message;
  CountedVector<std::complex<T>> work;
  fourier->Run(x.data(), work);
  const std::vector<Complex> expected = ByDefinition(line, inverse);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_LE(std::abs(static_cast<Complex>(x[i]) - expected[i]), tolerance) << length << " " << i;
  }
}

TEST(Fourier, IsTheDefinition) {
  for (std::int64_t length = 1; length <= 130; ++length) {
    for (const bool inverse : {false, true}) {
      ExpectDefinition<double>(length, inverse, 1e-12);
      ExpectDefinition<float>(length, inverse, 3e-5);
    }
  }
  for (const std::int64_t length : {256, 360, 400, 512, 997, 1001}) {
    ExpectDefinition<double>(length, false, 1e-11);
  }
}

TEST(Fourier, RefusesLengthsThatCannotBe) {
  EXPECT_EQ(Fourier<float>::Of(0, false).error().code, Code::kInvalidArgument);
  EXPECT_EQ(Fourier<float>::Of(std::int64_t{1} << 40, false).error().code,
            Code::kResourceExhausted);
  // A prime whose convolution would be too long.
  EXPECT_EQ(Fourier<float>::Of(268435399, false).error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace slipway::runtime
