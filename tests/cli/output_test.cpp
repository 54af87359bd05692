// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/json.h"

namespace slipway::cli {
namespace {

const Columns kColumns = {{"NAME", "name"},
                          {"SIZE", "size", Column::Kind::kBytes},
                          {"TAGS", "tags", Column::Kind::kTags},
                          {"LIST", "list"}};

TEST(OutputTest, ColumnsAreAlignedAndEndWithoutBlanks) {
  const Json items = testing::ParsedJson(
      R"([{"name": "a", "size": 12, "tags": {"k": "v", "onnx": ""}, "list": ["x", 1]},
          {"name": "größer", "size": 25403, "tags": {}}])");
  EXPECT_EQ(RenderList(Format::kTable, items, kColumns),
            "NAME    SIZE     TAGS      LIST\n"
            "a       12 B     k=v,onnx  x, 1\n"
            "größer  25.4 KB\n");
}

TEST(OutputTest, EmptyListIsItsTitles) {
  EXPECT_EQ(RenderList(Format::kTable, Json::array(), kColumns), "NAME  SIZE  TAGS  LIST\n");
  EXPECT_EQ(RenderList(Format::kJson, Json::array(), kColumns), "[]\n");
  EXPECT_EQ(RenderList(Format::kYaml, Json::array(), kColumns), "[]\n");
}

TEST(OutputTest, ObjectLeavesOutWhatItHasNot) {
  EXPECT_EQ(RenderObject(Format::kTable, Json{{"name", "x"}, {"size", nullptr}}, kColumns),
            "NAME  x\n");
}

TEST(OutputTest, SignatureIsReadable) {
  const Json object = testing::ParsedJson(R"({"inputs": [
      {"name": "image", "type": "float", "shape": ["batch", "1", "8"]},
      {"name": "any", "type": "int64"}, {"name": "s", "type": "float", "shape": []}]})");
  EXPECT_EQ(RenderObject(Format::kTable, object, {{"in", "inputs", Column::Kind::kSignature}}),
            "in  image float[batch,1,8], any int64, s float[]\n");
}

TEST(OutputTest, TextCannotSteerTheTerminal) {
  const Json object{{"name", "a\x1b[31mred\nnext"}};
  EXPECT_EQ(RenderObject(Format::kTable, object, kColumns), "NAME  a?[31mred?next\n");
}

TEST(OutputTest, YamlKeepsTextText) {
  const Json object = testing::ParsedJson(
      R"({"a": "true", "b": "1", "c": "plain", "d": [1, 2.5, null, true], "e": {"k: v": ""},
          "f": "- x", "g": [], "h": {}})");
  EXPECT_EQ(RenderObject(Format::kYaml, object, {}),
            "a: \"true\"\nb: \"1\"\nc: plain\nd:\n  - 1\n  - 2.5\n  - ~\n  - true\n"
            "e:\n  \"k: v\": \"\"\nf: \"- x\"\ng: []\nh: {}\n");
}

TEST(OutputTest, BytesHaveUnitsOfThousands) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(999), "999 B");
  EXPECT_EQ(BytesText(1000), "1.0 KB");
  EXPECT_EQ(BytesText(999'949), "999.9 KB");
  EXPECT_EQ(BytesText(999'999), "1.0 MB");
  EXPECT_EQ(BytesText(64'000'000'000), "64.0 GB");
}

TEST(OutputTest, UnknownFormatNamesTheKnown) {
  const auto format = FormatFromName("xml");
  ASSERT_FALSE(format);
  EXPECT_NE(format.error().message.find("xml"), std::string::npos);
  EXPECT_EQ(format.error().fix, "one of table, json, yaml");
}

}  // namespace
}  // namespace slipway::cli
