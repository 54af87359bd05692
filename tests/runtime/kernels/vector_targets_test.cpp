// SPDX-License-Identifier: Apache-2.0
// Kernels in vectors on every set of instructions that this machine has and they are made for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "runtime/kernels/half_simd.h"
#include "tests/support/only_target.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

struct Problem {
  std::string kernel, line;
};

const std::vector<Problem> kProblems = {
    {"attention_blocked",
     "Attention opset=23 q=f32[2,3,25,33] k=f32[2,3,257,33] v=f32[2,3,257,17]"},
    {"attention_blocked",
     "Attention opset=25 is_causal=1 left_window_size=70 softcap=2 q=f32[1,2,150,8] "
     "k=f32[1,2,150,8] "
     "v=f32[1,2,150,64] mask=f32[150,150]"},
    {"attention_blocked", "Attention opset=23 q=f32[1,4,1,20] k=f32[1,2,130,20] v=f32[1,2,130,7]"},
    {"attention_blocked",
     "Attention opset=23 q=f32[1,2,7,16] k=f32[1,2,9,16] v=f32[1,2,9,16] mask=f32[7,9]:special"},
    {"layer_normalization_simd", "LayerNormalization opset=17 outputs=3 x=f32[5,67] scale=f32[67]"},
    {"skip_normalization_simd",
     "com.microsoft.SkipLayerNormalization opset=1 outputs=4 x=f32[2,3,37] skip=f32[3,37] "
     "gamma=f32[37] beta=f32[37] bias=f32[37]"},
    {"instance_normalization_simd",
     "InstanceNormalization opset=6 x=f32[2,3,77] scale=f32[3] b=f32[3]"},
    {"softmax_simd", "Softmax opset=13 axis=1 x=f32[3,7,45]"},
    {"softmax_simd", "Softmax opset=13 x=f32[41,3]:special"},
    {"curve_vectors", "Round opset=22 x=f32[3,45]:special"},
    {"curve_vectors", "Sin opset=22 x=f32[3,45]:special"},
    {"curve_vectors", "Cos opset=22 x=f32[3,45]:special"},
    {"curve_vectors", "Atan opset=22 x=f32[3,45]:special"},
    {"curve_vectors", "Celu opset=12 alpha=0.7 x=f32[3,45]:special"},
    {"pow_simple", "Pow opset=15 x=f32[3,45]:special y=f32[]{-0.5}"},
    {"curve_vectors", "Exp opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Log opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Erf opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Sqrt opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Floor opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Ceil opset=13 x=f32[3,45]:special"},
    {"curve_vectors", "Exp opset=13 x=f32{-200,-104,-88,-87,-1e-9,88.5,89,103,104,105,1e30,3}"},
    {"curve_vectors", "Log opset=13 x=f32{1e-40,1.1e-38,0.5,0.9999,1,1.0001,2,3e38,-1e-40,-3,0}"},
    {"curve_vectors",
     "Erf opset=13 x=f32{-9,-4.1,-4,-1.0001,-1,-0.9999,-1e-30,0,1e-9,0.3,1,2.5,30}"},
    {"curve_vectors", "Gelu opset=20 x=f32[3,45]:special"},
    {"curve_vectors", "Gelu opset=20 approximate=tanh x=f32[3,45]:special"},
    {"curve_vectors",
     "Gelu opset=20 x=f32{-30,-9,-5.81,-5.79,-4,-1.42,-1.41,-1e-30,0,1e-9,0.3,1.41,1.42,5.8,30}"},
    {"curve_vectors",
     "Gelu opset=20 approximate=tanh x=f32{-30,-9,-5,-4,-1,-0.3,-1e-30,0,1e-9,0.3,1,2.5,30}"},
    {"curve_vectors", "Sin opset=7 x=f32{1e-20,3.1415927,6.2831855,100,38999,39001,-1e6,1e30}"},
    {"curve_vectors", "Cos opset=7 x=f32{1e-20,1.5707964,6.2831855,100,38999,39001,-1e6,1e30}"},
    {"curve_vectors", "Atan opset=7 x=f32{1e-20,-0.5,1,1.0001,3,1e6,-1e30}"},
    {"curve_vectors", "Round opset=11 x=f32{-2.5,-1.5,-0.5,0.5,1.5,2.5,8388609,1e20,-0.2}"},
    {"pool_pairs", "MaxPool opset=12 kernel_shape=2,2 strides=2,2 x=f32[2,3,29,28]:special"},
    {"pool_rows", "MaxPool opset=12 kernel_shape=2,2 strides=2,2 x=f32[2,3,29,28]:special"},
    {"matmul_column", "MatMul opset=13 a=f32[3,5,67] b=f32[3,67,1]"},
    {"matmul_column", "MatMul opset=13 a=f32[2,3,7,35] b=f32[35]"},
    {"pool_pairs",
     "MaxPool opset=12 kernel_shape=3,2 strides=1,2 pads=1,1,1,1 x=f32[1,3,20,35]:special"},
    {"pool_rows",
     "MaxPool opset=12 kernel_shape=3,2 strides=1,2 pads=1,1,1,1 x=f32[1,3,20,35]:special"},
    {"pool_pairs", "MaxPool opset=12 kernel_shape=2 strides=2 ceil_mode=1 x=f32[2,3,37]"},
    {"pool_rows", "MaxPool opset=12 kernel_shape=3,3 strides=2,2 pads=1,1,1,1 x=f32[2,3,41,67]"},
    {"pool_rows",
     "MaxPool opset=12 kernel_shape=3,5 strides=1,3 dilations=2,1 pads=0,2,1,2 x=f32[2,3,19,37]"},
    {"pool_rows",
     "AveragePool opset=19 kernel_shape=2,3,4 strides=2,1,2 dilations=1,2,2 pads=1,1,1,0,1,2 "
     "x=f32[1,2,5,8,39]"},
    {"pool_pairs", "AveragePool opset=11 kernel_shape=2,2 strides=2,2 x=f32[1,3,7,41]"},
    {"pool_pairs",
     "AveragePool opset=11 kernel_shape=3,2 strides=2,2 pads=1,1,1,0 count_include_pad=1 "
     "x=f32[2,2,9,23]"},
    {"hardmax_rows", "Hardmax opset=13 x=f32[7,45]:special"},
    {"reduce_simd", "ReduceSum opset=13 x=f32[3,77] axes=i64{1}"},
    {"reduce_simd", "ReduceSum opset=13 x=f32[3,21] axes=i64{1}"},
    {"reduce_simd", "ReduceSum opset=13 x=f32[3,11,45] axes=i64{1}"},
    {"reduce_simd", "ReduceL1 opset=18 x=f32[3,77]:special axes=i64{1}"},
    {"reduce_simd", "ReduceL2 opset=18 x=f32[3,11,45] axes=i64{1}"},
    {"reduce_simd", "ReduceProd opset=18 x=f32[3,11,45]:0.5..1.5 axes=i64{1}"},
    {"reduce_simd", "ReduceProd opset=18 x=f32[3,45]:0.5..1.5 axes=i64{1}"},
    {"reduce_simd", "ReduceMax opset=18 x=f32[9,77]:special axes=i64{1}"},
    {"reduce_simd", "ReduceMin opset=18 x=f32[9,77]:special axes=i64{1}"},
    {"reduce_simd", "ReduceMin opset=18 x=f32[9,77] axes=i64{1}"},
    {"reduce_simd", "ReduceMax opset=18 x=f32[9,35] axes=i64{1}"},
    {"reduce_simd", "ReduceMax opset=18 x=f32[3,11,28] axes=i64{1}"},
    {"reduce_simd", "ReduceMax opset=18 x=f32[3,11,45]:special axes=i64{1}"},
    {"reduce_simd", "ReduceMin opset=18 x=f32[3,11,45]:special axes=i64{1}"},
    {"reduce_simd", "ReduceLogSumExp opset=18 x=f32[3,45]:-90..90 axes=i64{1}"},
    {"reduce_simd", "ReduceLogSumExp opset=18 x=f32[3,11,45]:special axes=i64{1}"},
    {"lp_normalization_simd", "LpNormalization opset=22 p=1 x=f32[3,45]"},
    {"group_normalization_simd",
     "GroupNormalization opset=21 num_groups=2 x=f32[2,6,45] scale=f32[6] b=f32[6]"},
    {"layer_normalization_simd", "RMSNormalization opset=23 x=f32[5,67] scale=f32[67]"},
    {"softmax_simd", "Softmax opset=13 axis=1 x=f32[3,7,45]:special"},
    {"softmax_simd", "Softmax opset=13 x=f32[7,45]:special"},
    {"log_softmax_simd", "LogSoftmax opset=13 axis=1 x=f32[3,7,45]:special"},
    {"resize_planned", "Upsample opset=7 mode=linear scales=1,1,2,2.3 x=f32[2,3,17,33]"},
    {"resize_planned", "Upsample opset=7 mode=nearest scales=1,1,2,2.3 x=f32[2,3,17,33]"},
};

void ExpectNear(const runtime::Value& expected, const runtime::Value& actual) {
  const auto a = expected.tensor()->data<float>(), b = actual.tensor()->data<float>();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isinf(a[i])) {
      EXPECT_TRUE(std::isnan(a[i]) ? std::isnan(b[i]) : a[i] == b[i]) << i;
    } else {
      EXPECT_NEAR(a[i], b[i], 2e-5F * std::max(1.0F, std::abs(a[i]))) << i;
    }
  }
}

class VectorTargets : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(VectorTargets, AgreeWithTheReference) {
  for (const Problem& problem : kProblems) {
    SCOPED_TRACE(problem.kernel + ": " + problem.line);
    const auto expected = RunOpLine(problem.line);
    ASSERT_TRUE(expected) << expected.error().message;
    const OnlyTarget only(GetParam());
    const auto actual = RunOpLine(problem.line, {}, problem.kernel);
    ASSERT_TRUE(actual) << actual.error().message;
    ASSERT_EQ(expected->size(), actual->size());
    for (std::size_t i = 0; i < expected->size(); ++i) ExpectNear((*expected)[i], (*actual)[i]);
  }
}

TEST_P(VectorTargets, FindTheSamePlaces) {
  for (const char* of : {"x=f32[9,77]:special axis=1", "x=f32[9,19]:special axis=1",
                         "x=f32[3,11,45]:special axis=1"}) {
    for (const char* last : {"0", "1"}) {
      for (const auto& [op, kernel] :
           {std::pair{"ArgMax", "argmax_simd"}, {"ArgMin", "argmin_simd"}}) {
        std::string line = std::string(op) + " opset=13 select_last_index=" + last + " " + of;
        SCOPED_TRACE(line);
        const auto expected = RunOpLine(line);
        ASSERT_TRUE(expected) << expected.error().message;
        const OnlyTarget only(GetParam());
        const auto actual = RunOpLine(line, {}, kernel);
        ASSERT_TRUE(actual) << actual.error().message;
        const auto a = expected->front().tensor()->data<std::int64_t>();
        const auto b = actual->front().tensor()->data<std::int64_t>();
        EXPECT_TRUE(std::ranges::equal(a, b));
      }
    }
  }
}

TEST_P(VectorTargets, ConvertHalvesToTheSameBits) {
  const OnlyTarget only(GetParam());
  std::vector<runtime::Float16> x;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    x.push_back(runtime::Float16::FromBits(static_cast<std::uint16_t>(bits)));
  }
  std::vector<float> wide(x.size());
  runtime::WidenHalf(std::span<const runtime::Float16>(x), wide.data());
  std::vector<runtime::Float16> narrow(x.size());
  runtime::NarrowToHalf(std::span<const float>(wide), narrow.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(narrow[i].bits, runtime::Float16(static_cast<float>(x[i])).bits) << i;
  }
}

/// The bytes that a Cast of such numbers to the type of that number gives.
std::string CastTo(const std::string& from, int to, std::int64_t target) {
  const OnlyTarget only(target);
  const auto made = RunOpLine("Cast opset=13 x=" + from + " to=" + std::to_string(to));
  EXPECT_TRUE(made) << made.error().message;
  if (!made) return "";
  const runtime::Tensor& tensor = *made->front().tensor();
  return {static_cast<const char*>(tensor.raw()), static_cast<std::size_t>(tensor.bytes())};
}

TEST_P(VectorTargets, ConvertToTheSameNumbers) {
  constexpr int kTypes[] = {1, 2, 3, 6, 7, 9, 11};  // float, bytes, integers, bool, double
  for (const char* type : {"f32", "f64", "i32", "i64", "i8", "u8", "bool"}) {
    for (const char* numbers : {"[1029]", "[1029]:special"}) {
      if (type[0] != 'f' && numbers[6] != '\0') continue;
      for (const int to : kTypes) {
        const std::string from = std::string(type) + numbers;
        EXPECT_EQ(CastTo(from, to, GetParam()), CastTo(from, to, HWY_SCALAR)) << from << to;
      }
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<std::int64_t>& test) {
  return hwy::TargetName(test.param);
}

INSTANTIATE_TEST_SUITE_P(Targets, VectorTargets,
                         ::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), NameOf);

}  // namespace
}  // namespace slipway::test
