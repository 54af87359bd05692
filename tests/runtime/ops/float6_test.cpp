// SPDX-License-Identifier: Apache-2.0
// Elements of six bits: what Cast makes of floats, and how a file packs them. Expected values are
// those of Python's ml_dtypes and onnx.numpy_helper.
#include <gtest/gtest.h>

#include "runtime/tools/tensor_file.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Tensor;

const std::vector<float> kGiven{0.06F, 0.0625F, 0.07F,   1.0625F, 1.1875F, 7.25F, 7.3F, 9,
                                -0.3F, -100,    0.3125F, 3.1F,    0,       -0.0F, 2.25F};

std::vector<float> Through(std::string_view cast) {
  auto narrow = RunOpLine(cast, {Tensor::FromVector(DType::kFloat32, {15}, kGiven)});
  EXPECT_TRUE(narrow) << narrow.error().message;
  if (!narrow) return {};
  auto wide = RunOpLine("Cast opset=28 to=1 x=f32[15]", {*(*narrow)[0].tensor()});
  EXPECT_TRUE(wide) << wide.error().message;
  if (!wide) return {};
  const auto values = (*wide)[0].tensor()->data<float>();
  return {values.begin(), values.end()};
}

TEST(Float6, CastRoundsToTheNearestEven) {
  EXPECT_EQ(Through("Cast opset=28 to=27 x=f32[15]"),
            (std::vector<float>{0, 0, 0.125F, 1, 1.25F, 7, 7.5F, 7.5F, -0.25F, -7.5F, 0.25F, 3, 0,
                                -0.0F, 2.25F}));
  EXPECT_EQ(Through("Cast opset=28 to=28 x=f32[15]"),
            (std::vector<float>{0.0625F, 0.0625F, 0.0625F, 1, 1.25F, 7, 7, 8, -0.3125F, -28,
                                0.3125F, 3, 0, -0.0F, 2}));
}

// A TensorProto: dims [5], the element type, raw_data.
std::string Proto(char dtype, std::string_view raw) {
  std::string text{"\x08\x05\x10", 3};
  text += dtype;
  text += '\x4a';
  text += static_cast<char>(raw.size());
  return text.append(raw);
}

void ExpectPacked(char dtype, std::string_view raw, float last) {
  const std::string text = Proto(dtype, raw);
  const auto value = runtime::ReadProtoValue(std::as_bytes(std::span(text)), runtime::TypeInfo{});
  ASSERT_TRUE(value) << value.error().message;
  auto wide = RunOpLine("Cast opset=28 to=1 x=f32[5]", {*value->tensor()});
  ASSERT_TRUE(wide) << wide.error().message;
  const auto x = (*wide)[0].tensor()->data<float>();
  EXPECT_EQ((std::vector<float>{x.begin(), x.end()}),
            (std::vector<float>{1, -2, 0.5F, 3.5F, last}));
  const auto written = runtime::WriteTensorProto(*value->tensor(), "");
  ASSERT_TRUE(written);
  EXPECT_NE(written->find(raw), std::string::npos);
}

TEST(Float6, FilesPackFourElementsInThreeBytes) {
  ExpectPacked(27, "\x08\x4c\x58\x21", -0.125F);
  ExpectPacked(28, "\x0c\x8c\x4c\x24", -0.25F);
  const std::string cut = Proto(27, std::string(3, '\0'));
  EXPECT_FALSE(runtime::ReadProtoValue(std::as_bytes(std::span(cut)), runtime::TypeInfo{}));
}

}  // namespace
}  // namespace slipway::test
