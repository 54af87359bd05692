// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/json_reader.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/json.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

/// Builds the document that the reader sees, for comparison with another parser.
Result<Json> ReadAll(JsonReader& reader) {
  using Kind = JsonReader::Kind;
  switch (reader.Peek()) {
    case Kind::kObject: {
      Json out = Json::object();
      TRY(reader.BeginObject());
      std::string name;
      while (TRY(reader.NextMember(name))) out[name] = TRY(ReadAll(reader));
      return out;
    }
    case Kind::kArray: {
      Json out = Json::array();
      TRY(reader.BeginArray());
      while (TRY(reader.NextItem())) out.push_back(TRY(ReadAll(reader)));
      return out;
    }
    case Kind::kString:
      return Json(TRY(reader.String()));
    case Kind::kNumber: {
      const std::string token(TRY(reader.Number()));
      Json number = testing::ParsedJson(token);
      if (number.is_discarded()) return Json("bare " + token);
      return number;
    }
    case Kind::kBool:
      return Json(TRY(reader.Bool()));
    case Kind::kNull:
      TRY(reader.Null());
      return Json();
    case Kind::kNothing:
      return reader.Unexpected("a value");
  }
  return Json();
}

Result<Json> Read(std::string_view text) {
  JsonReader reader(text);
  Json json = TRY(ReadAll(reader));
  TRY(reader.Finish());
  return json;
}

constexpr std::string_view kGood[] = {
    R"({"a": [1, 2.5, -0.0, 1e3, -1E-2], "b": {"c": null, "d": [true, false]}, "e": ""})",
    R"(["\u00e9\ud83d\ude00\n\t\"\\\/\b\f\r", "plain", "ünïcode"])",
    R"([[], {}, [[]], [{}], {"x": []}])",
    "  \t\r\n 7  ",
    R"("")",
    R"({"a":1,"a":2})",
};

TEST(JsonReaderTest, ReadsWhatOthersRead) {
  for (std::string_view text : kGood) {
    auto got = Read(text);
    ASSERT_TRUE(got) << text << ": " << got.error().message;
    EXPECT_EQ(*got, testing::ParsedJson(text)) << text;
    JsonReader skipper(text);
    EXPECT_TRUE(skipper.Skip()) << text;
    EXPECT_TRUE(skipper.Finish()) << text;
  }
}

TEST(JsonReaderTest, RefusesWhatIsNoJson) {
  for (std::string_view text : {"",
                                " ",
                                "{",
                                "[",
                                "[1",
                                "[1,",
                                "[1,]",
                                "[,1]",
                                "[1 2]",
                                "{\"a\"}",
                                "{\"a\":}",
                                "{\"a\":1,}",
                                "{a:1}",
                                "{1:2}",
                                "tru",
                                "nul",
                                "nan",
                                "01",
                                "1.",
                                ".5",
                                "+1",
                                "1e",
                                "1e+",
                                "--1",
                                "-",
                                "\"",
                                "\"\\x\"",
                                "\"\\u12\"",
                                "\"\\ud800\"",
                                "\"\\ud800\\u0041\"",
                                "\"\\udc00\"",
                                "\"\n\"",
                                "[1]]",
                                "{}}",
                                "1 1",
                                "\xff",
                                "\"\xff\"",
                                "\"\xc0\x80\"",
                                "infinity",
                                "0x10",
                                "1_0"}) {
    EXPECT_FALSE(Read(text)) << text;
  }
}

TEST(JsonReaderTest, ErrorsSayWhere) {
  EXPECT_EQ(Read("[1, x]").error().message, "JSON has 'x' at byte 4 where a value was expected");
  EXPECT_EQ(Read("[1").error().message, "JSON ends at byte 2 where ',' or ']' was expected");
}

TEST(JsonReaderTest, BoundsNesting) {
  const std::string deep(limits::kJsonDepth, '[');
  EXPECT_TRUE(Read(deep + std::string(limits::kJsonDepth, ']')));
  const std::string deeper = deep + "[";
  JsonReader skipper(deeper);
  EXPECT_EQ(skipper.Skip().error().message, "JSON is nested deeper than 128 levels");
}

TEST(JsonReaderTest, TakesPythonsNumbers) {
  for (std::string_view text : {"NaN", "Infinity", "-Infinity"}) {
    JsonReader reader(text);
    auto token = reader.Number();
    ASSERT_TRUE(token);
    EXPECT_EQ(*token, text);
  }
}

TEST(JsonReaderTest, AgreesWithAnotherParserOnDamagedText) {
  std::mt19937 random(7);
  constexpr std::string_view kBytes = "[]{},:\"\\0123456789.eE+-truefalsn \n\x80\xc3";
  int accepted = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text(kGood[random() % std::size(kGood)]);
    for (unsigned i = 0; i < 1 + random() % 3; ++i) {
      const std::size_t at = random() % text.size();
      const char byte = kBytes[random() % kBytes.size()];
      switch (random() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1);
          if (text.empty()) text = " ";
      }
    }
    const Json other = testing::ParsedJson(text);
    auto got = Read(text);
    ASSERT_EQ(got.has_value(), !other.is_discarded()) << text;
    if (got) {
      ASSERT_EQ(*got, other) << text;
      ++accepted;
    }
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace slipway::server
