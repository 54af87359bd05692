// SPDX-License-Identifier: Apache-2.0
// Random operators: the numbers of NumPy's seeded RandomState, and the distributions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;

Tensor Draw(std::string_view line, std::vector<Tensor> inputs = {}) {
  auto outputs = RunOpLine(line, std::move(inputs));
  EXPECT_TRUE(outputs) << line << ": " << outputs.error().message;
  return outputs ? *(*outputs)[0].tensor() : Tensor();
}

void ExpectNear(const Tensor& tensor, const std::vector<double>& expected) {
  ASSERT_EQ(tensor.dtype(), DType::kFloat64);
  ASSERT_EQ(tensor.size(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(tensor.data<double>()[i], expected[i], 1e-12) << i;
  }
}

// numpy.random.RandomState(7).uniform(-1, 3, 4)
TEST(RandomOps, UniformIsNumpys) {
  ExpectNear(Draw("RandomUniform opset=1 dtype=11 low=-1 high=3 seed=7 shape=2,2"),
             {-0.6947668425041713, 2.1196751689604585, 0.753636925763574, 1.8938607113237649});
}

// numpy.random.RandomState(7).normal(2, 0.5, 5)
TEST(RandomOps, NormalIsNumpys) {
  ExpectNear(Draw("RandomNormal opset=22 dtype=11 mean=2 scale=0.5 seed=7 shape=5"),
             {2.845262851900178, 1.7670313147295835, 2.0164100818392923, 2.203758141498254,
              1.6055384856871306});
}

// numpy.random.RandomState(7).binomial(1, numpy.linspace(0, 1, 12))
TEST(RandomOps, BernoulliIsNumpys) {
  std::vector<double> chances;
  for (int i = 0; i < 12; ++i) chances.push_back(i / 11.0);
  const Tensor drawn = Draw("Bernoulli opset=15 seed=7 dtype=7 p=f64[12]",
                            {Tensor::FromVector(DType::kFloat64, {12}, chances)});
  const std::vector<std::int64_t> expected{0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1};
  EXPECT_TRUE(std::ranges::equal(drawn.data<std::int64_t>(), expected));
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments MomentsOf(const Tensor& tensor) {
  const auto x = tensor.data<float>();
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  double squares = 0;
  for (const float value : x) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / static_cast<double>(x.size()))};
}

// Five standard errors of the mean and of the deviation of a hundred thousand numbers.
TEST(RandomOps, UnseededNumbersHaveTheRightMoments) {
  const Moments normal = MomentsOf(Draw("RandomNormal opset=1 mean=3 scale=2 shape=100000"));
  EXPECT_NEAR(normal.mean, 3, 5 * 2 / std::sqrt(1e5));
  EXPECT_NEAR(normal.deviation, 2, 5 * 2 / std::sqrt(2e5));
  const Tensor tensor = Draw("RandomUniformLike opset=1 low=1 high=4 x=f32[100000]");
  const Moments uniform = MomentsOf(tensor);
  EXPECT_NEAR(uniform.mean, 2.5, 5 * 3 / std::sqrt(12e5));
  EXPECT_NEAR(uniform.deviation, 3 / std::sqrt(12.0), 0.01);
  EXPECT_GE(*std::ranges::min_element(tensor.data<float>()), 1);
  EXPECT_LE(*std::ranges::max_element(tensor.data<float>()), 4);
}

TEST(RandomOps, RunsWithoutASeedDiffer) {
  const Tensor a = Draw("RandomUniform opset=1 dtype=11 shape=8");
  const Tensor b = Draw("RandomUniform opset=1 dtype=11 shape=8");
  EXPECT_FALSE(std::ranges::equal(a.data<double>(), b.data<double>()));
}

TEST(RandomOps, MultinomialDrawsByTheProbabilities) {
  const std::vector<float> logs{std::log(0.1F), std::log(0.6F), std::log(0.3F), 5, 5, -1000};
  const Tensor drawn = Draw("Multinomial opset=7 sample_size=50000 seed=3 x=f32[2,3]",
                            {Tensor::FromVector(DType::kFloat32, {2, 3}, logs)});
  ASSERT_EQ(drawn.shape(), (Shape{2, 50000}));
  const auto x = drawn.data<std::int32_t>();
  const auto share = [&](int row, int of) {
    return static_cast<double>(
               std::count(x.begin() + row * 50000, x.begin() + (row + 1) * 50000, of)) /
           50000;
  };
  EXPECT_NEAR(share(0, 0), 0.1, 0.01);
  EXPECT_NEAR(share(0, 1), 0.6, 0.015);
  EXPECT_NEAR(share(1, 0), 0.5, 0.015);
  EXPECT_EQ(share(1, 2), 0);
}

}  // namespace
}  // namespace slipway::test
