// SPDX-License-Identifier: Apache-2.0
#include "runtime/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "runtime/value.h"

namespace slipway::runtime {
namespace {

TEST(Tensor, IsAlignedAndCountsItsBytes) {
  const auto floats = Tensor::Make(DType::kFloat32, {2, 3});
  ASSERT_TRUE(floats);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(floats->raw()) % 64, 0U);
  EXPECT_EQ(floats->size(), 6);
  EXPECT_EQ(floats->bytes(), 24);
  const auto nibbles = Tensor::Make(DType::kInt4, {3});
  ASSERT_TRUE(nibbles);
  EXPECT_EQ(nibbles->bytes(), 2);
  const auto crumbs = Tensor::Make(DType::kUint2, {5});
  ASSERT_TRUE(crumbs);
  EXPECT_EQ(crumbs->bytes(), 2);
  const auto none = Tensor::Make(DType::kFloat64, {4, 0, std::int64_t{1} << 60});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->size(), 0);
  EXPECT_NE(none->raw(), nullptr);
}

TEST(Tensor, BitsAfterTheLastPackedElementAreZero) {
  for (int i = 0; i < 64; ++i) {
    auto used = Tensor::Make(DType::kUint8, {64});
    ASSERT_TRUE(used);
    std::memset(used->raw(), 0xFF, 64);
    used = Tensor();
    const auto packed = Tensor::Make(DType::kUint4, {3});
    ASSERT_TRUE(packed);
    EXPECT_EQ(static_cast<const std::uint8_t*>(packed->raw())[1], 0);
  }
}

TEST(Tensor, StringsAreObjects) {
  auto strings = Tensor::Make(DType::kString, {2});
  ASSERT_TRUE(strings);
  strings->data<std::string>()[1] = std::string(100, 'x');
  const auto copy = strings->Clone();
  ASSERT_TRUE(copy);
  strings->data<std::string>()[1] = "y";
  EXPECT_EQ(copy->data<std::string>()[0], "");
  EXPECT_EQ(copy->data<std::string>()[1].size(), 100U);
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  auto tensor = Tensor::Make(DType::kInt32, {2, 2});
  ASSERT_TRUE(tensor);
  const Tensor flat = tensor->Reshaped({4});
  const auto clone = tensor->Clone();
  ASSERT_TRUE(clone);
  EXPECT_EQ(flat.raw(), tensor->raw());
  EXPECT_NE(clone->raw(), tensor->raw());
  EXPECT_EQ(flat.shape(), (Shape{4}));
}

TEST(Tensor, RefusesSizesThatCannotBe) {
  EXPECT_EQ(Tensor::Make(DType::kFloat32, {-1}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(Tensor::Make(DType::kUndefined, {1}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(Tensor::Make(DType::kInt8, Shape(65, 1)).error().code, Code::kInvalidArgument);
  const std::int64_t big = std::int64_t{1} << 40;
  EXPECT_EQ(Tensor::Make(DType::kInt8, {big, big}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(Tensor::Make(DType::kInt8, {big}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(Tensor::Make(DType::kString, {std::numeric_limits<std::int64_t>::max()}).error().code,
            Code::kResourceExhausted);
}

TEST(DType, NamesAndNumbers) {
  EXPECT_EQ(DTypeName(DType::kFloat32), "float");
  EXPECT_EQ(DTypeName(DType::kInt2), "int2");
  EXPECT_FALSE(DTypeFromNumber(0));
  EXPECT_FALSE(DTypeFromNumber(-1));
  EXPECT_FALSE(DTypeFromNumber(kDTypeCount));
  for (int i = 1; i < kDTypeCount; ++i) {
    ASSERT_TRUE(DTypeFromNumber(i));
    EXPECT_GT(DTypeBits(*DTypeFromNumber(i)), 0);
  }
}

TEST(TypeText, AsTheOnnxRuntimeApiWritesIt) {
  const TypeInfo floats{.dtype = DType::kFloat32, .shape = Shape{-1, 3, -1}, .symbols = {"n"}};
  EXPECT_EQ(TypeText(floats), "tensor(float)");
  EXPECT_EQ(ShapedTypeText(floats), "float[n,3,?]");
  EXPECT_EQ(ShapedTypeText({.dtype = DType::kInt64}), "int64[...]");
  const TypeInfo map{.kind = TypeInfo::Kind::kMap, .dtype = DType::kInt64, .element = {floats}};
  const TypeInfo sequence{.kind = TypeInfo::Kind::kSequence, .element = {map}};
  EXPECT_EQ(TypeText(sequence), "seq(map(int64,tensor(float)))");
  EXPECT_EQ(TypeText({.kind = TypeInfo::Kind::kOptional, .element = {floats}}),
            "optional(tensor(float))");
}

}  // namespace
}  // namespace slipway::runtime
