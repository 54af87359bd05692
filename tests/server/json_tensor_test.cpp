// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/json_tensor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <type_traits>

#include "base/json.h"
#include "runtime/server/small_float.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;

Result<Tensor> Nested(std::string_view text, DType dtype) {
  JsonReader reader(text);
  Tensor tensor = TRY(ReadNested(reader, dtype));
  TRY(reader.Finish());
  return tensor;
}

Result<Tensor> Shaped(std::string_view text, DType dtype, const Shape& shape) {
  JsonReader reader(text);
  Tensor tensor = TRY(ReadShaped(reader, dtype, shape));
  TRY(reader.Finish());
  return tensor;
}

std::string Written(const Tensor& tensor) {
  std::string out;
  EXPECT_TRUE(AppendNested(tensor, out));
  return out;
}

TEST(JsonTensorTest, NestingGivesTheShape) {
  const std::pair<const char*, Shape> kCases[] = {
      {"5", {}},
      {"[]", {0}},
      {"[1]", {1}},
      {"[[1,2],[3,4],[5,6]]", {3, 2}},
      {" [ [ [ 1 ] , [ 2 ] ] ] ", {1, 2, 1}},
      {"[[],[]]", {2, 0}},
      {"[[[]],[[]]]", {2, 1, 0}},
  };
  for (const auto& [text, shape] : kCases) {
    auto tensor = Nested(text, DType::kFloat32);
    ASSERT_TRUE(tensor) << text << ": " << tensor.error().message;
    EXPECT_EQ(tensor->shape(), shape) << text;
  }
}

TEST(JsonTensorTest, RefusesUnevenNesting) {
  for (const char* text : {"[[1],[2,3]]", "[[1],2]", "[1,[2]]", "[[],[1]]", "[[1],[]]",
                           "[[],[[1]]]", "[[],5]", "[5,[]]", "[[[1]],[2]]", "[[[]],[]]"}) {
    auto tensor = Nested(text, DType::kFloat32);
    ASSERT_FALSE(tensor) << text;
    EXPECT_NE(tensor.error().message.find("uneven"), std::string::npos)
        << text << ": " << tensor.error().message;
  }
}

TEST(JsonTensorTest, RefusesWhatIsNoArray) {
  for (const char* text : {"", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "[[1]", "{}", "null",
                           "[null]", "[1]]", "[1.]", "[01]", "[+1]", "[\"1\"]", "[true]"}) {
    EXPECT_FALSE(Nested(text, DType::kFloat32)) << text;
  }
}

/// A text made of the characters of numbers, most often a number.
std::string NumberText(std::mt19937& random) {
  const auto digits = [&random](std::size_t most) {
    std::string text;
    for (std::size_t i = random() % (most + 1); i > 0; --i) text += "00123456789"[random() % 11];
    return text;
  };
  std::string text = random() % 3 == 0 ? "-" : "";
  text += digits(9);
  if (random() % 2 == 0) text += "." + digits(8);
  if (random() % 8 == 0) text += "eE"[random() % 2] + digits(2);
  if (random() % 10 == 0) text.insert(random() % (text.size() + 1), 1, "+-.eE0x "[random() % 8]);
  return text;
}

/// A tab behind a number has it read in the general way.
template <class T>
void ReadBothWays(DType dtype, std::mt19937& random) {
  const std::string text = NumberText(random);
  const std::string behind = random() % 2 == 0 ? ", 1, 2, 3, 4]" : "]           ";
  const auto quick = Nested("[" + text + behind, dtype);
  const auto general = Nested("[" + text + "\t" + behind, dtype);
  ASSERT_EQ(quick.has_value(), general.has_value()) << text;
  if (!quick || quick->size() == 0) return;
  const T value = quick->data<T>()[0];
  EXPECT_EQ(std::memcmp(&value, general->raw(), sizeof value), 0) << text;
  T expected{};
  if constexpr (std::is_same_v<T, float>) {
    expected = std::strtof(text.c_str(), nullptr);
  } else if constexpr (std::is_same_v<T, double>) {
    expected = std::strtod(text.c_str(), nullptr);
  } else {
    expected = static_cast<T>(std::strtod(text.c_str(), nullptr));
  }
  EXPECT_EQ(std::memcmp(&value, &expected, sizeof value), 0) << text;
}

TEST(JsonTensorTest, ShortNumbersAreReadAsAllOthers) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    ReadBothWays<float>(DType::kFloat32, random);
    ReadBothWays<double>(DType::kFloat64, random);
    ReadBothWays<std::int8_t>(DType::kInt8, random);
    ReadBothWays<std::uint16_t>(DType::kUint16, random);
    ReadBothWays<std::int32_t>(DType::kInt32, random);
    ReadBothWays<std::int64_t>(DType::kInt64, random);
    if (HasFailure()) return;
  }
}

TEST(JsonTensorTest, FloatsAreRoundedOnceNearTheMiddleOfTwo) {
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const auto low = static_cast<float>(1 + random() % 1'000'000) / 1000.0F;
    const double middle = (static_cast<double>(low) + std::nextafter(low, 2e9F)) / 2;
    for (const int digits : {7, 9, 12, 15, 16, 17, 18, 20, 25}) {
      const std::string text = fmt::format("{:.{}f}", middle, digits);
      const auto tensor = Nested("[" + text + ", -" + text + "]", DType::kFloat32);
      ASSERT_TRUE(tensor) << text;
      const float expected = std::strtof(text.c_str(), nullptr);
      ASSERT_EQ(tensor->data<float>()[0], expected) << text;
      ASSERT_EQ(tensor->data<float>()[1], -expected) << text;
    }
  }
}

TEST(JsonTensorTest, IntegersMustFit) {
  EXPECT_EQ(Nested("[-128,127]", DType::kInt8)->data<std::int8_t>()[0], -128);
  EXPECT_EQ(Nested("[18446744073709551615]", DType::kUint64)->data<std::uint64_t>()[0],
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(Nested("[-9223372036854775808]", DType::kInt64)->data<std::int64_t>()[0],
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(Nested("[3.0, 1e2]", DType::kInt32)->data<std::int32_t>()[1], 100);
  EXPECT_FALSE(Nested("[128]", DType::kInt8));
  EXPECT_FALSE(Nested("[-1]", DType::kUint32));
  EXPECT_FALSE(Nested("[1.5]", DType::kInt64));
  EXPECT_FALSE(Nested("[1e30]", DType::kInt64));
  EXPECT_FALSE(Nested("[NaN]", DType::kInt64));
  EXPECT_FALSE(Nested("[18446744073709551616]", DType::kUint64));
}

TEST(JsonTensorTest, FloatsOutsideTheirRange) {
  EXPECT_FALSE(Nested("[1e39]", DType::kFloat32));
  EXPECT_FALSE(Nested("[1e309]", DType::kFloat64));
  EXPECT_FALSE(Nested("[65520]", DType::kFloat16));
  EXPECT_EQ(Nested("[1e-60]", DType::kFloat32)->data<float>()[0], 0.0F);
  EXPECT_EQ(Nested("[1e-400]", DType::kFloat64)->data<double>()[0], 0.0);
  EXPECT_EQ(Nested("[1e-45]", DType::kFloat32)->data<float>()[0],
            std::numeric_limits<float>::denorm_min());
}

TEST(JsonTensorTest, NotANumberAndInfinity) {
  auto tensor =
      Nested(R"(["NaN", NaN, "Infinity", Infinity, "-Infinity", -Infinity])", DType::kFloat32);
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_TRUE(std::isnan(tensor->data<float>()[0]) && std::isnan(tensor->data<float>()[1]));
  EXPECT_EQ(Written(*tensor), R"(["NaN","NaN","Infinity","Infinity","-Infinity","-Infinity"])");
  EXPECT_FALSE(Nested(R"(["nan"])", DType::kFloat32));
}

template <class Float, class Bits>
void RoundTrip(DType dtype, Float (*of)(Bits)) {
  std::mt19937_64 random(3);
  std::vector<Float> values;
  for (int i = 0; i < 100'000; ++i) {
    const Float value = of(static_cast<Bits>(random()));
    if (std::isfinite(value)) values.push_back(value);
  }
  for (double special : {0.0, -0.0, 1.0, -1.0, 0.1, 1e22, 16777216.0, 1.17549435e-38}) {
    values.push_back(static_cast<Float>(special));
  }
  const auto count = static_cast<std::int64_t>(values.size());
  const Tensor tensor = Tensor::FromVector(dtype, {count}, values);
  const std::string text = Written(tensor);
  auto back = Nested(text, dtype);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::memcmp(back->raw(), tensor.raw(), values.size() * sizeof(Float)), 0);
  const Json other = testing::ParsedJson(text);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto through_double = static_cast<Float>(other[i].get<double>());
    ASSERT_EQ(std::bit_cast<Bits>(through_double), std::bit_cast<Bits>(values[i])) << values[i];
  }
}

TEST(JsonTensorTest, FloatsKeepTheirBits) {
  RoundTrip<float, std::uint32_t>(DType::kFloat32,
                                  [](std::uint32_t b) { return std::bit_cast<float>(b); });
  RoundTrip<double, std::uint64_t>(DType::kFloat64,
                                   [](std::uint64_t b) { return std::bit_cast<double>(b); });
}

TEST(JsonTensorTest, SmallFloatsKeepTheirBits) {
  for (DType dtype : {DType::kFloat16, DType::kBfloat16}) {
    std::vector<std::uint16_t> bits;
    for (std::uint32_t b = 0; b < 0x10000; ++b) {
      const auto half = static_cast<std::uint16_t>(b);
      const float value = dtype == DType::kFloat16 ? HalfToFloat(half) : Bfloat16ToFloat(half);
      if (!std::isnan(value)) bits.push_back(half);
    }
    const Tensor tensor = Tensor::FromVector(dtype, {static_cast<std::int64_t>(bits.size())}, bits);
    auto back = Nested(Written(tensor), dtype);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(std::equal(bits.begin(), bits.end(), back->data<std::uint16_t>().begin()));
  }
}

TEST(SmallFloatTest, RoundsToNearestEven) {
  EXPECT_EQ(HalfFromDouble(1.0), 0x3C00);
  EXPECT_EQ(HalfFromDouble(1.0 + 1.0 / 2048), 0x3C00);
  EXPECT_EQ(HalfFromDouble(1.0 + 3.0 / 2048), 0x3C02);
  EXPECT_EQ(HalfFromDouble(65504), 0x7BFF);
  EXPECT_EQ(HalfFromDouble(65519), 0x7BFF);
  EXPECT_EQ(HalfFromDouble(65520), 0x7C00);
  EXPECT_EQ(HalfFromDouble(std::ldexp(1.0, -24)), 0x0001);
  EXPECT_EQ(HalfFromDouble(std::ldexp(1.0, -25)), 0x0000);
  EXPECT_EQ(HalfFromDouble(std::ldexp(1.5, -25)), 0x0001);
  EXPECT_EQ(HalfFromDouble(-0.0), 0x8000);
  EXPECT_EQ(Bfloat16FromDouble(1.0), 0x3F80);
  EXPECT_EQ(Bfloat16FromDouble(3.4e38), 0x7F80);
}

TEST(JsonTensorTest, ShapedTakesFlatAndNested) {
  for (const char* text : {"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]"}) {
    auto tensor = Shaped(text, DType::kInt32, {2, 3});
    ASSERT_TRUE(tensor) << tensor.error().message;
    EXPECT_EQ(tensor->shape(), (Shape{2, 3}));
    EXPECT_EQ(tensor->data<std::int32_t>()[5], 6);
  }
  EXPECT_EQ(Shaped("[1,2,3]", DType::kInt32, {2, 2}).error().message,
            "3 values for shape [2,2], which takes 4");
  EXPECT_EQ(Shaped("[[1],[2],[3],[4]]", DType::kInt32, {2, 2}).error().message,
            "data is nested as [4,1] for shape [2,2]");
  EXPECT_FALSE(Shaped("[1]", DType::kInt32, {1LL << 40, 1LL << 40}));
  EXPECT_FALSE(Shaped("[1]", DType::kInt32, {-1}));
}

TEST(JsonTensorTest, BoolsAndStrings) {
  EXPECT_EQ(Written(*Nested("[[true,false],[1,0]]", DType::kBool)), "[[true,false],[true,false]]");
  EXPECT_FALSE(Nested("[2]", DType::kBool));
  EXPECT_EQ(Written(*Nested(R"(["a\n", "é\u0000"])", DType::kString)), R"(["a\n","é\u0000"])");
  const Tensor bytes = Tensor::FromVector<std::string>(DType::kString, {1}, {"\xff"});
  EXPECT_EQ(Written(bytes), "[\"\xEF\xBF\xBD\"]");
}

TEST(JsonTensorTest, EmptyTensorsKeepTheirShape) {
  for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{2, 2, 0}}) {
    const Tensor tensor = Tensor::FromVector<float>(DType::kFloat32, shape, {});
    auto back = Nested(Written(tensor), DType::kFloat32);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->shape(), shape);
  }
  std::string out;
  const Tensor huge = Tensor::FromVector<float>(DType::kFloat32, {1LL << 40, 0}, {});
  EXPECT_EQ(AppendNested(huge, out).error().code, Code::kResourceExhausted);
}

TEST(JsonTensorTest, SequencesAndMaps) {
  using runtime::Value;
  auto scalar = [](float value) {
    return Value(Tensor::FromVector<float>(DType::kFloat32, {}, {value}));
  };
  auto classes = std::make_shared<const runtime::Map>(
      runtime::Map{Tensor::FromVector<std::int64_t>(DType::kInt64, {2}, {-1, 7}),
                   {scalar(0.25F), scalar(0.75F)}});
  auto names = std::make_shared<const runtime::Map>(
      runtime::Map{Tensor::FromVector<std::string>(DType::kString, {1}, {"a\"b"}), {scalar(1)}});
  auto list = std::make_shared<const runtime::Sequence>(
      runtime::Sequence{{Value(classes), Value(names), Value()}});
  std::string out;
  ASSERT_TRUE(AppendValue(Value(list), out));
  EXPECT_EQ(out, R"([{"-1":0.25,"7":0.75},{"a\"b":1.0},null])");
}

TEST(JsonTensorTest, TypesWithoutJsonForm) {
  EXPECT_EQ(Nested("[1]", DType::kComplex64).error().code, Code::kUnimplemented);
  EXPECT_FALSE(HasJsonForm(DType::kComplex64));
  EXPECT_TRUE(HasJsonForm(DType::kFloat16));
}

TEST(JsonTensorTest, DamagedTextNeverPassesForSomethingElse) {
  std::mt19937 random(5);
  constexpr std::string_view kBytes = "[],0123456789.eE+-N\" ";
  const std::string good = "[[1.5,-2,3e1],[4,5.25,6]]";
  for (int round = 0; round < 60'000; ++round) {
    std::string text = good;
    for (unsigned i = 0; i < 1 + random() % 3; ++i) {
      text[random() % text.size()] = kBytes[random() % kBytes.size()];
    }
    auto tensor = Nested(text, DType::kFloat64);
    const Json other = testing::ParsedJson(text);
    if (other.is_discarded() || !tensor) {
      EXPECT_FALSE(tensor && text.find("NaN") == std::string::npos) << text;
      continue;
    }
    const Json flat = other.is_array() ? other.flatten() : Json{{"", other}};
    std::size_t numbers = 0;
    for (const auto& item : flat) numbers += item.is_number() ? 1 : 0;
    ASSERT_EQ(numbers, static_cast<std::size_t>(tensor->size())) << text;
  }
}

}  // namespace
}  // namespace slipway::server
