// SPDX-License-Identifier: Apache-2.0
/// RNN, GRU and LSTM where `.cases` do not reach: elements that are no numbers, and every set of
/// vector instructions this machine has.
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>
#include <span>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Tensor;

constexpr std::int64_t kSteps = 3, kBatch = 5, kInputs = 4, kHidden = 17;

Tensor Filled(runtime::Shape shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.05F * static_cast<float>(i % 11);
  return Tensor::FromVector(DType::kFloat32, std::move(shape), values);
}

std::vector<Tensor> Inputs(std::int64_t gates) {
  return {Filled({kSteps, kBatch, kInputs}), Filled({1, gates * kHidden, kInputs}),
          Filled({1, gates * kHidden, kHidden})};
}

/// From the second step on.
void ExpectNanIn(std::int64_t nan_item, std::span<const float> y) {
  for (std::int64_t step = 0; step < kSteps; ++step) {
    for (std::int64_t item = 0; item < kBatch; ++item) {
      for (std::int64_t j = 0; j < kHidden; ++j) {
        const auto at = static_cast<std::size_t>((step * kBatch + item) * kHidden + j);
        EXPECT_EQ(std::isnan(y[at]), item == nan_item && step >= 1)
            << step << ' ' << item << ' ' << j;
      }
    }
  }
}

class RecurrentTest : public ::testing::TestWithParam<std::tuple<const char*, std::int64_t>> {};

TEST_P(RecurrentTest, WhatIsNoNumberStaysInItsItem) {
  const auto& [line, gates] = GetParam();
  std::vector<Tensor> inputs = Inputs(gates);
  constexpr std::int64_t kItem = 2;
  inputs[0].data<float>()[(1 * kBatch + kItem) * kInputs] = std::numeric_limits<float>::quiet_NaN();
  for (const char* kernel : {"recurrent_reference", "recurrent_packed"}) {
    const auto outputs = RunOpLine(line, inputs, kernel);
    ASSERT_TRUE(outputs) << outputs.error().message;
    ExpectNanIn(kItem, (*outputs)[0].tensor()->data<float>());
  }
}
/// Until the end of this, kernels of the project's own use these instructions.
class OnlyTarget {
 public:
  explicit OnlyTarget(std::int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~OnlyTarget() { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(RecurrentTest, IsTheSameOnEveryInstructionSet) {
  const auto& [line, gates] = GetParam();
  const auto inputs = Inputs(gates);
  const auto expected = RunOpLine(line, inputs);
  ASSERT_TRUE(expected) << expected.error().message;
  const auto want = (*expected)[0].tensor()->data<float>();
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  EXPECT_FALSE(targets.empty());
  for (const std::int64_t target : targets) {
    const OnlyTarget only(target);
    const auto outputs = RunOpLine(line, inputs, "recurrent_packed");
    ASSERT_TRUE(outputs) << outputs.error().message;
    const auto y = (*outputs)[0].tensor()->data<float>();
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(y[i], want[i], 1e-6) << hwy::TargetName(target) << ' ' << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, RecurrentTest,
    ::testing::Values(
        std::tuple("RNN opset=14 x=f32[3,5,4] w=f32[1,17,4] r=f32[1,17,17]", 1),
        std::tuple("RNN opset=14 activations=Relu x=f32[3,5,4] w=f32[1,17,4] r=f32[1,17,17]", 1),
        std::tuple("GRU opset=14 x=f32[3,5,4] w=f32[1,51,4] r=f32[1,51,17]", 3),
        std::tuple("GRU opset=14 clip=1.0 linear_before_reset=1 x=f32[3,5,4] w=f32[1,51,4] "
                   "r=f32[1,51,17]",
                   3),
        std::tuple("LSTM opset=14 clip=1.0 x=f32[3,5,4] w=f32[1,68,4] r=f32[1,68,17]", 4)));

}  // namespace
}  // namespace slipway::test
