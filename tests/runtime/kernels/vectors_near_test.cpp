// SPDX-License-Identifier: Apache-2.0
/// How near examples lie to support vectors, on every set of instructions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "runtime/kernels/vectors_near_simd.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kFeatures = 5, kCount = 3 * kNearPad;

struct Problem {
  std::vector<double> columns, x;
};

Problem Random() {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 2);
  Problem problem;
  for (std::int64_t i = 0; i < kFeatures * kCount; ++i) problem.columns.push_back(normal(random));
  for (std::int64_t i = 0; i < kFeatures; ++i) problem.x.push_back(normal(random));
  return problem;
}

VectorColumns ColumnsOf(const Problem& problem) {
  return {.columns = problem.columns.data(), .features = kFeatures, .count = kCount};
}

void ExpectNumber(double wanted, double got) {
  if (std::isnan(wanted)) {
    EXPECT_TRUE(std::isnan(got)) << got;
  } else if (std::isinf(wanted)) {
    EXPECT_EQ(wanted, got);
  } else {
    EXPECT_NEAR(wanted, got, 1e-13 * std::abs(wanted) + 1e-300);
  }
}

void Check(const Problem& problem, double factor) {
  std::vector<double> products(kCount), near(kCount);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const test::OnlyTarget only(target);
    Products(ColumnsOf(problem), problem.x.data(), products.data());
    RadialBasis(ColumnsOf(problem), problem.x.data(), factor, near.data());
    for (std::int64_t v = 0; v < kCount; ++v) {
      double product = 0, distance = 0;
      for (std::int64_t f = 0; f < kFeatures; ++f) {
        const double a = problem.x[static_cast<std::size_t>(f)];
        const double b = problem.columns[static_cast<std::size_t>(f * kCount + v)];
        product += a * b;
        distance += (a - b) * (a - b);
      }
      EXPECT_NEAR(product, products[static_cast<std::size_t>(v)], 1e-12);
      ExpectNumber(std::exp(factor * distance), near[static_cast<std::size_t>(v)]);
    }
  }
}

TEST(VectorsNear, AsTheFormulaSays) {
  for (const double factor : {-0.01, -0.5, -3.0, 0.0, 0.2}) Check(Random(), factor);
}

/// Beyond what a number can hold, both ways.
TEST(VectorsNear, FarAway) {
  Check(Random(), -1e6);
  Check(Random(), 1e6);
}

TEST(VectorsNear, WhatIsNoNumberStaysSo) {
  Problem problem = Random();
  problem.columns[2 * kCount + 7] = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> near(kCount);
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const test::OnlyTarget only(target);
    RadialBasis(ColumnsOf(problem), problem.x.data(), -0.5, near.data());
    for (std::size_t v = 0; v < near.size(); ++v) EXPECT_EQ(std::isnan(near[v]), v == 7);
  }
}

}  // namespace
}  // namespace slipway::runtime
