// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/tools/element.h"
#include "runtime/tools/test_folder.h"
#include "tests/runtime/model_files.h"
#include "tests/support/json.h"
#include "tests/support/tempdir.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;

TypeInfo TensorType(DType dtype) { return {.dtype = dtype}; }

/// [3, 2] with elements of every size the type has room for.
Tensor Sample(DType dtype) {
  auto tensor = Tensor::Make(dtype, {3, 2});
  EXPECT_TRUE(tensor);
  for (std::int64_t i = 0; i < 6; ++i) {
    if (dtype == DType::kString) {
      tensor->data<std::string>()[static_cast<std::size_t>(i)] = std::string(std::size_t(i), 'x');
    } else if (IsFloating(dtype)) {
      SetFloat(*tensor, i, dtype == DType::kFloat8E8M0 ? std::exp2(i) : 0.5 * double(i) - 1);
    } else if (IsComplex(dtype)) {
      std::memset(tensor->raw(), 0, static_cast<std::size_t>(tensor->bytes()));
    } else {
      EXPECT_TRUE(SetInt(*tensor, i, i % 2));
    }
  }
  return *std::move(tensor);
}

void ExpectSame(const Value& a, const Value& b) {
  double error = 0;
  EXPECT_EQ(CompareValues(a, b, 0, 0, error), "");
}

TEST(TensorFile, ProtoKeepsEveryType) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const Value sample(Sample(static_cast<DType>(i)));
    const auto text = WriteTensorProto(*sample.tensor(), "t");
    ASSERT_TRUE(text);
    const auto back = ReadProtoValue(std::as_bytes(std::span(*text)), TypeInfo{});
    ASSERT_TRUE(back) << back.error().message;
    ExpectSame(sample, *back);
  }
}

TEST(TensorFile, NpyKeepsEveryTypeNumpyHas) {
  int kept = 0;
  for (int i = 1; i < kDTypeCount; ++i) {
    const Value sample(Sample(static_cast<DType>(i)));
    const auto text = WriteNpy(*sample.tensor());
    if (!text) {
      EXPECT_EQ(text.error().code, Code::kUnimplemented);
      continue;
    }
    ++kept;
    EXPECT_EQ(text->find('\n') % 64, 63U);
    const auto back = ReadNpy(std::as_bytes(std::span(*text)));
    ASSERT_TRUE(back) << back.error().message;
    ExpectSame(sample, Value(*back));
  }
  EXPECT_EQ(kept, 14);
}

std::string NpyText(std::string header, std::string_view data) {
  header.resize(118, ' ');
  return std::string("\x93NUMPY\x01\x00v\x00", 10) + header + std::string(data);
}

TEST(TensorFile, NpyOrdersAndStrings) {
  const std::string fortran =
      NpyText("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", "\1\2\3\4\5\6");
  auto tensor = ReadNpy(std::as_bytes(std::span(fortran)));
  ASSERT_TRUE(tensor) << tensor.error().message;
  const auto elements = tensor->data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(elements.begin(), elements.end()),
            (std::vector<int>{1, 3, 5, 2, 4, 6}));
  const std::string big = NpyText("{'descr': '>i4', 'fortran_order': False, 'shape': (), }",
                                  std::string_view("\0\0\1\2", 4));
  tensor = ReadNpy(std::as_bytes(std::span(big)));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->data<std::int32_t>()[0], 258);
  const std::string words = NpyText("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }",
                                    std::string_view("a\0\0\0\xe4\0\0\0\0\x26\0\0\0\0\0\0", 16));
  tensor = ReadNpy(std::as_bytes(std::span(words)));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->data<std::string>()[0], "a\xc3\xa4");
  EXPECT_EQ(tensor->data<std::string>()[1], "\xe2\x98\x80");
}

TEST(TensorFile, BrokenNpyIsRefused) {
  const std::string good =
      NpyText("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "12345678");
  ASSERT_TRUE(ReadNpy(std::as_bytes(std::span(good))));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ReadNpy(std::as_bytes(std::span(good).first(size))));
  }
  for (const char* header :
       {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
        "{'descr': '<f4', 'fortran_order': False, }", "{'shape': (2,), }", ""}) {
    const std::string text = NpyText(header, "12345678");
    const auto tensor = ReadNpy(std::as_bytes(std::span(text)));
    EXPECT_FALSE(tensor) << header;
  }
}

TEST(TensorFile, JsonKeepsWhatItCanHold) {
  for (DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16,
                      DType::kInt8, DType::kUint64, DType::kInt4, DType::kBool, DType::kString}) {
    const Value sample(Sample(dtype));
    const auto json = ValueToJson(sample);
    ASSERT_TRUE(json);
    const auto back = ValueFromJson(*json, TensorType(dtype));
    ASSERT_TRUE(back) << back.error().message;
    ExpectSame(sample, *back);
  }
}

TEST(TensorFile, JsonForms) {
  const TypeInfo floats = TensorType(DType::kFloat32);
  auto value =
      ValueFromJson(testing::ParsedJson(R"({"dims": [2, 1], "data": [1, "NaN"]})"), floats);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->tensor()->shape(), (Shape{2, 1}));
  EXPECT_EQ(*ValueToJson(*value), testing::ParsedJson(R"([[1.0], ["NaN"]])"));
  value =
      ValueFromJson(testing::ParsedJson("[]"), {.dtype = DType::kFloat32, .shape = Shape{-1, 3}});
  ASSERT_TRUE(value);
  EXPECT_EQ(value->tensor()->shape(), (Shape{0, 3}));
  value = ValueFromJson(testing::ParsedJson("2.0"), TensorType(DType::kInt64));
  ASSERT_TRUE(value);
  EXPECT_EQ(value->tensor()->data<std::int64_t>()[0], 2);
  const TypeInfo map{.kind = TypeInfo::Kind::kMap, .dtype = DType::kInt64, .element = {floats}};
  const TypeInfo maps{.kind = TypeInfo::Kind::kSequence, .element = {map}};
  value = ValueFromJson(testing::ParsedJson(R"([{"1": 0.5, "2": 0.25}])"), maps);
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->sequence()->items[0].map()->keys.data<std::int64_t>()[1], 2);
  EXPECT_EQ(*ValueToJson(*value), testing::ParsedJson(R"([{"1": 0.5, "2": 0.25}])"));
}

TEST(TensorFile, WrongJsonIsNamed) {
  struct Case {
    const char* json;
    DType dtype;
    const char* says;
  };
  for (const Case& test :
       {Case{"[[1, 2], [3]]", DType::kFloat32, "ragged"}, Case{"[1, \"x\"]", DType::kFloat32, "x"},
        Case{"300", DType::kInt8, "300"}, Case{"1.5", DType::kInt64, "1.5"},
        Case{"-1", DType::kUint8, "-1"}, Case{"2", DType::kBool, "2"},
        Case{"18446744073709551615", DType::kInt64, "18446744073709551615"},
        Case{R"({"dims": [3], "data": [1]})", DType::kFloat32, "3"},
        Case{R"({"dims": [-1], "data": [1]})", DType::kFloat32, "negative"},
        Case{R"({"dims": [1], "date": [1]})", DType::kFloat32, "date"},
        Case{"null", DType::kString, "null"}}) {
    const auto value = ValueFromJson(testing::ParsedJson(test.json), TensorType(test.dtype));
    ASSERT_FALSE(value) << test.json;
    EXPECT_THAT(value.error().message, HasSubstr(test.says));
  }
}

TEST(TensorFile, FilesByExtension) {
  const slipway::testing::TempDir folder;
  const Value sample(Sample(DType::kFloat32));
  for (const char* name : {"a.pb", "a.npy", "a.json"}) {
    const auto path = folder.path() / name;
    ASSERT_TRUE(WriteTensorFile(path, "x", sample));
    const auto back = ReadTensorFile(path, TensorType(DType::kFloat32));
    ASSERT_TRUE(back) << back.error().message;
    ExpectSame(sample, *back);
  }
  EXPECT_FALSE(WriteTensorFile(folder.path() / "a.txt", "x", sample));
  const auto missing = ReadTensorFile(folder.path() / "b.npy", TensorType(DType::kFloat32));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  std::ofstream(folder.path() / "c.npy") << "nonsense";
  const auto broken = ReadTensorFile(folder.path() / "c.npy", TensorType(DType::kFloat32));
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("c.npy"));
}

}  // namespace
}  // namespace slipway::runtime
