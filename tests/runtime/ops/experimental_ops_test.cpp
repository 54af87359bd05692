// SPDX-License-Identifier: Apache-2.0
// Operators that were experimental until opset 9, and versions that later ones changed: values by
// hand from the pages of their time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

struct Answer {
  Shape shape;
  std::vector<float> numbers;
};

Answer AnswerOf(std::string_view line) {
  const auto outputs = RunOpLine(line);
  EXPECT_TRUE(outputs) << line << ": " << outputs.error().message;
  if (!outputs) return {};
  const Tensor& y = *outputs->front().tensor();
  if (y.dtype() != DType::kFloat32) {
    ADD_FAILURE() << line << ": not float";
    return {};
  }
  return {y.shape(), {y.data<float>().begin(), y.data<float>().end()}};
}

void Expect(std::string_view line, const std::vector<float>& numbers) {
  EXPECT_THAT(AnswerOf(line).numbers, Pointwise(FloatNear(1e-5F), numbers)) << line;
}

TEST(ExperimentalOps, FunctionsOfElements) {
  Expect("Affine opset=1 alpha=2 beta=0.5 x=f32{1,-2}", {2.5F, -3.5F});
  Expect("Affine opset=9 x=f32{1,-2}", {1, -2});
  Expect("Scale opset=1 scale=3 x=f32{1,-2}", {3, -6});
  Expect("ScaledTanh opset=1 alpha=2 beta=0.5 x=f32{1,-2}",
         {2 * std::tanh(0.5F), 2 * std::tanh(-1.0F)});
  Expect(
      "ParametricSoftplus opset=1 alpha=2 beta=3 x=f32{0,1,-1,100}",
      {2 * std::log(2.0F), 2 * std::log1p(std::exp(3.0F)), 2 * std::log1p(std::exp(-3.0F)), 600});
  Expect("ThresholdedRelu opset=1 alpha=2 x=f32{1,2,3}", {0, 0, 3});
}

TEST(ExperimentalOps, Images) {
  Expect("ImageScaler opset=1 scale=2 bias=1,-1 x=f32[1,2,1,2]{1,2,3,4}", {3, 5, 5, 7});
  EXPECT_THAT(RunOpLine("ImageScaler opset=1 bias=1,2,3 x=f32[1,2,1,2]").error().message,
              HasSubstr("`bias`"));
  const Answer cut = AnswerOf("Crop opset=1 border=1,0,0,1 x=f32[1,1,2,3]{1,2,3,4,5,6}");
  EXPECT_EQ(cut.shape, (Shape{1, 1, 1, 2}));
  EXPECT_THAT(cut.numbers, ElementsAre(2, 3));
  EXPECT_THAT(AnswerOf("Crop opset=1 border=1,1,0,0 scale=1,1 x=f32[1,1,2,3]{1,2,3,4,5,6}").numbers,
              ElementsAre(5));
  for (const std::string_view wrong :
       {"Crop opset=1 border=2,0,2,0 x=f32[1,1,2,3]", "Crop opset=1 border=1,2 x=f32[1,1,2,3]",
        "Crop opset=1 border=0,0,0,0 scale=3,1 x=f32[1,1,2,3]",
        "Crop opset=1 border=-1,0,0,0 x=f32[1,1,2,3]"}) {
    EXPECT_FALSE(RunOpLine(wrong)) << wrong;
  }
}

TEST(ExperimentalOps, Fills) {
  const Answer of_input = AnswerOf("ConstantFill opset=1 value=2.5 extra_shape=1 x=f32[2,3]");
  EXPECT_EQ(of_input.shape, (Shape{2, 3, 1}));
  EXPECT_THAT(of_input.numbers, Each(2.5F));
  EXPECT_EQ(AnswerOf("ConstantFill opset=1 input_as_shape=1 x=i64{2,4}").shape, (Shape{2, 4}));
  EXPECT_THAT(AnswerOf("GivenTensorFill opset=1 values=1,2,3 x=f32[3]").numbers,
              ElementsAre(1, 2, 3));
  EXPECT_THAT(RunOpLine("GivenTensorFill opset=1 values=1,2 x=f32[3]").error().message,
              HasSubstr("2 numbers"));
  EXPECT_FALSE(RunOpLine("ConstantFill opset=1 dtype=8 x=f32[2]"));
  EXPECT_FALSE(RunOpLine("ConstantFill opset=1 input_as_shape=1 x=f32[2]:special"));
  EXPECT_FALSE(RunOpLine("ConstantFill opset=1 input_as_shape=1 x=i64{2,-4}"));
  EXPECT_FALSE(RunOpLine("ConstantFill opset=1 input_as_shape=1 x=i64{4000000000,4000000000}"));
}

TEST(ExperimentalOps, MeanVarianceOfAChannelOrOfAll) {
  Expect("MeanVarianceNormalization opset=1 x=f32[1,2,1,2]{1,3,10,14}", {-1, 1, -1, 1});
  Expect("MeanVarianceNormalization opset=1 normalize_variance=0 x=f32[1,2,1,2]{1,3,10,14}",
         {-1, 1, -2, 2});
  Expect(
      "MeanVarianceNormalization opset=1 across_channels=1 normalize_variance=0 "
      "x=f32[1,2,1,2]{1,3,10,14}",
      {-6, -4, 3, 7});
}

TEST(ExperimentalOps, DynamicSliceTakesNoSteps) {
  Expect("DynamicSlice opset=1 x=f32[2,3]{1,2,3,4,5,6} starts=i64{1,0} ends=i64{2,2} axes=i64{0,1}",
         {4, 5});
}

TEST(FirstVersions, ResizeRoundsUpWhereItShrinks) {
  Expect("Resize opset=10 x=f32[1,1,2,4]{1,2,3,4,5,6,7,8} s=f32{1,1,0.6,0.6}", {1, 3});
  Expect("Resize opset=10 x=f32[1,1,1,3]{1,2,3} s=f32{1,1,1,2}", {1, 1, 2, 2, 3, 3});
  // 7 / 0.7 is 10, whatever the scale's last bits make of it.
  const Answer tenth = AnswerOf("Resize opset=10 x=f32[11]{0,1,2,3,4,5,6,7,8,9,10} s=f32{0.7}");
  EXPECT_THAT(tenth.numbers, ElementsAre(0, 2, 3, 5, 6, 8, 9));
}

}  // namespace
}  // namespace slipway::test
