// SPDX-License-Identifier: Apache-2.0
/// MatMulNBits with `g_idx`: each of K has the scale and zero point of the group it names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Tensor;

constexpr std::int64_t kK = 32;
constexpr std::int64_t kN = 2;

std::vector<Tensor> Inputs(std::vector<std::int32_t> groups) {
  std::vector<float> a(kK);
  for (std::size_t k = 0; k < a.size(); ++k) a[k] = static_cast<float>(k % 5) - 2;
  std::vector<std::uint8_t> b(kN * 2 * 8);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::uint8_t>(i * 37);
  return {Tensor::FromVector(DType::kFloat32, {1, kK}, a),
          Tensor::FromVector(DType::kUint8, {kN, 2, 8}, b),
          Tensor::FromVector(DType::kFloat32, {kN, 2}, std::vector<float>{1, 0.5F, 2, 0.25F}),
          Tensor::FromVector(DType::kUint8, {kN, 1}, std::vector<std::uint8_t>{0x93, 0x1f}),
          Tensor::FromVector(DType::kInt32, {static_cast<std::int64_t>(groups.size())}, groups)};
}

constexpr std::string_view kLine =
    "com.microsoft.MatMulNBits opset=1 K=32 N=2 block_size=16 bits=4 a=f32[1,32] b=u8[2,2,8] "
    "s=f32[2,2] z=u8[2,1] g=i32[32]";

TEST(MatMulNBits, GroupsNameTheirScaleAndZeroPoint) {
  std::vector<std::int32_t> groups(kK);
  for (std::size_t k = 0; k < groups.size(); ++k) groups[k] = static_cast<std::int32_t>(k * 7 % 2);
  const std::vector<Tensor> inputs = Inputs(groups);
  const auto outputs = RunOpLine(kLine, inputs);
  ASSERT_TRUE(outputs) << outputs.error().message;
  for (std::size_t n = 0; n < kN; ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < kK; ++k) {
      const unsigned byte = inputs[1].data<std::uint8_t>()[n * 16 + k / 2];
      const unsigned zeros = inputs[3].data<std::uint8_t>()[n];
      const auto group = static_cast<std::size_t>(groups[k]);
      const int value = static_cast<int>(byte >> (k % 2 * 4) & 15U);
      const int zero = static_cast<int>(zeros >> (group * 4) & 15U);
      const double scale = inputs[2].data<float>()[n * 2 + group];
      sum += inputs[0].data<float>()[k] * scale * (value - zero);
    }
    EXPECT_FLOAT_EQ((*outputs)[0].tensor()->data<float>()[n], static_cast<float>(sum));
  }
}

TEST(MatMulNBits, GroupsMustBeThere) {
  std::vector<std::int32_t> groups(kK, 2);
  const auto outputs = RunOpLine(kLine, Inputs(groups));
  ASSERT_FALSE(outputs);
  EXPECT_THAT(outputs.error().message, ::testing::HasSubstr("g_idx 2 out of range [0, 2)"));
}

}  // namespace
}  // namespace slipway::test
