// SPDX-License-Identifier: Apache-2.0
// Problems that operators must refuse, with the part of the message that says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using ::testing::HasSubstr;

struct Refused {
  std::string_view line, why;
};

constexpr Refused kRefused[] = {
    {"RandomUniform opset=1 shape=-2", "-2"},
    {"RandomUniform opset=1 dtype=7 shape=2", "`dtype` is 7"},
    {"RandomNormal opset=1 shape=4000000000,4000000000", "too many"},
    {"Bernoulli opset=15 p=f32{0.5,1.5}", "out of range [0, 1]"},
    {"Multinomial opset=7 x=f32[2,0]", "no classes"},
    {"Multinomial opset=7 sample_size=0 x=f32[2,3]", "`sample_size` is 0"},
    {"RegexFullMatch opset=20 pattern=(a x=str[2]", "no expression of RE2"},
    {"RegexFullMatch opset=20 x=str[2]", "`pattern` is missing"},
    {"StringNormalizer opset=10 x=str[2,3]", "neither [C] nor [1,C]"},
    {"StringNormalizer opset=10 case_change_action=UP x=str[3]", "`UP`"},
    {"TfIdfVectorizer opset=9 mode=TF min_gram_length=1 max_gram_length=1 max_skip_count=0 "
     "ngram_counts=0 ngram_indexes=0,1 pool_int64s=1,2,3 x=i64[4]",
     "has 2 numbers for 3"},
    {"TfIdfVectorizer opset=9 mode=TF min_gram_length=1 max_gram_length=2 max_skip_count=0 "
     "ngram_counts=0,2 ngram_indexes=0,1,2 pool_int64s=1,2,3 x=i64[4]",
     "`ngram_counts`"},
    {"TfIdfVectorizer opset=9 mode=TF min_gram_length=1 max_gram_length=1 max_skip_count=0 "
     "ngram_counts=0 ngram_indexes=-1 pool_int64s=1 x=i64[4]",
     "`ngram_indexes`"},
    {"TfIdfVectorizer opset=9 mode=TF min_gram_length=1 max_gram_length=1 max_skip_count=0 "
     "ngram_counts=0 ngram_indexes=0 pool_strings=a x=i64[4]",
     "not what the pool holds"},
    {"GridSample opset=16 mode=linear x=f32[1,1,2,2] g=f32[1,2,2,2]", "`linear`"},
    {"GridSample opset=20 x=f32[1,1,2,2] g=f32[1,2,2,3]", "does not sample"},
    {"GridSample opset=20 x=str[1,1,2,2] g=f32[1,2,2,2]", "cannot be interpolated"},
    {"GridSample opset=20 x=f32[1,1,0,2] g=f32[1,2,2,2]", "nothing to sample"},
    {"AffineGrid opset=20 theta=f32[1,2,3] size=i64{1,1,2}", "does not fit"},
    {"AffineGrid opset=20 theta=f32[1,2,3] size=i64{1,1,-2,2}", "-2"},
    {"DeformConv opset=19 x=f32[1,1,3,3] w=f32[1,1,2,2] o=f32[1,7,2,2]", "offsets of"},
    {"DeformConv opset=19 offset_group=0 x=f32[1,1,3,3] w=f32[1,1,2,2] o=f32[1,8,2,2]",
     "`offset_group` is 0"},
    {"Col2Im opset=18 x=f32[1,5,4] image=i64{3,3} block=i64{2,2}", "does not hold blocks"},
    {"Col2Im opset=18 x=f32[1,4,4] image=i64{3,-3} block=i64{2,2}", "`image_shape`"},
    {"Col2Im opset=18 x=f32[1,4,4] image=i64{3,3} block=i64{0,2}", "is empty"},
    {"MaxUnpool opset=11 kernel_shape=2,2 strides=2,2 x=f32[1,1,1,1] i=i64[1,1,1,1]{9}",
     "index 9 out of range [0, 4)"},
    {"MaxUnpool opset=11 kernel_shape=2,2 strides=2,2 x=f32[1,1,1,1] i=i64[1,1,1,1]{-1}",
     "index -1"},
    {"MaxUnpool opset=11 kernel_shape=2,2 x=f32[1,1,1,1] i=i64[1,1,1,1]{0} s=i64{1,1,1,9}",
     "at least"},
    {"RoiAlign opset=16 x=f32[1,1,4,4] r=f32[1,4]{0,0,1e30,1e30} b=i64{0}", "too large"},
    {"RoiAlign opset=16 x=f32[1,1,4,4] r=f32[1,4] b=i64{1}", "batch index 1 out of range"},
    {"RoiAlign opset=16 mode=min x=f32[1,1,4,4] r=f32[1,4] b=i64{0}", "`min`"},
    {"MaxRoiPool opset=1 pooled_shape=2,2 x=f32[1,1,4,4] r=f32[1,5]{3,0,0,1,1}", "no image"},
    {"MaxRoiPool opset=1 pooled_shape=2,0 x=f32[1,1,4,4] r=f32[1,5]", "`pooled_shape`"},
    {"NonMaxSuppression opset=11 b=f32[1,2,4] s=f32[1,1,3]", "with scores of"},
    {"NonMaxSuppression opset=11 b=f32[1,2,4] s=f32[1,1,2] m=i64{1} i=f32{1.5}", "iou_threshold"},
    {"Unique opset=11 axis=2 x=f32[2,2]", "axis 2 out of range"},
    {"DFT opset=17 axis=2 x=f32[1,4,1]", "real and imaginary"},
    {"DFT opset=17 x=f32[1,4,3]", "[...,1] or [...,2]"},
    {"DFT opset=17 x=f32[1,4,1] n=i64{0}", "length 0"},
    {"DFT opset=17 onesided=1 x=f32[1,4,2]", "onesided"},
    {"DFT opset=20 x=f32[1,4,1] n=i64{4611686018427387904}", "too many"},
    {"STFT opset=17 x=f32[1,8,1] step=i64{0}", "every 0"},
    {"STFT opset=17 x=f32[1,8,1] step=i64{2} w=f32[9]", "frames of 9"},
    {"STFT opset=17 x=f32[1,8,2] step=i64{2} w=f32[4]", "set it to 0"},
    {"HannWindow opset=17 size=i64{-1}", "size -1"},
    {"HannWindow opset=17 output_datatype=8 size=i64{4}", "`output_datatype` is 8"},
    {"MelWeightMatrix opset=17 a=i64{8} b=i64{16} c=i64{0} d=f32{0} e=f32{4000}", "at 0"},
    {"MelWeightMatrix opset=17 a=i64{8} b=i64{16} c=i64{100} d=f32{0} e=f32{4000}", "beyond row"},
    {"Det opset=11 x=f32[2,3]", "square"},
    {"CenterCropPad opset=18 axes=0,0 x=f32[2,3] s=i64{1,1}", "named twice"},
    {"CenterCropPad opset=18 x=f32[2,3] s=i64{1,-1}", "`shape`"},
    {"TensorScatter opset=24 x=f32[2,4,2] u=f32[2,2,2] i=i64{0,3}", "write index 3"},
    {"TensorScatter opset=24 axis=0 x=f32[2,4,2] u=f32[2,2,2]", "batch"},
    {"RotaryEmbedding opset=23 x=f32[1,2,6] c=f32[1,2,1] s=f32[1,2,1]", "`num_heads` 0"},
    {"RotaryEmbedding opset=23 x=f32[1,1,2,4] c=f32[3,2] s=f32[3,2] p=i64[1,2]{0,3}",
     "position 3 out of range"},
    {"CausalConvWithState opset=27 x=f32[1,2,4] w=f32[3,1,2]", "do not fit"},
    {"LinearAttention opset=27 q_num_heads=2 kv_num_heads=3 q=f32[1,1,6] k=f32[1,1,6] "
     "v=f32[1,1,6]",
     "2 query heads share 3"},
    {"LinearAttention opset=27 q_num_heads=1 kv_num_heads=1 q=f32[1,1,6] k=f32[1,1,6] "
     "v=f32[1,1,6]",
     "input `decay`"},
    {"SwiGLU opset=28 a=f32[2] b=f32[1]", "differ"},
};

TEST(RefusedOps, SayWhy) {
  for (const Refused& refused : kRefused) {
    SCOPED_TRACE(refused.line);
    const auto outputs = RunOpLine(refused.line);
    ASSERT_FALSE(outputs);
    EXPECT_THAT(outputs.error().message, HasSubstr(refused.why));
    EXPECT_NE(outputs.error().code, Code::kInternal);
    EXPECT_EQ(outputs.error().message.find('\n'), std::string::npos);
  }
}

TEST(RefusedOps, TooMuchTextIsAnError) {
  using runtime::DType;
  using runtime::Tensor;
  const Tensor one =
      Tensor::FromVector(DType::kString, {1}, std::vector<std::string>{std::string(1 << 20, 'x')});
  const Tensor many = Tensor::FromVector(DType::kString, {2048}, std::vector<std::string>(2048));
  const auto outputs = RunOpLine("StringConcat opset=20 a=str[1] b=str[1]", {one, many});
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace slipway::test
