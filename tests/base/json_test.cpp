// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "tests/support/json.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Nested(std::int64_t depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST(JsonTest, BuildsTheSameDocumentAsTheLibrary) {
  for (const char* text :
       {"null", "true", "-5", "18446744073709551615", "1.5e300", "\"a\\u00e9\\n\"", "[]", "{}",
        R"({"a":[1,{"b":null},[2,[3]]],"c":{"d":{"e":[]}},"f":false})", " [1 , 2]\n"}) {
    const Result<Json> json = ParseJson(text);
    ASSERT_TRUE(json) << text;
    EXPECT_EQ(*json, testing::ParsedJson(text)) << text;
  }
}

TEST(JsonTest, SaysWhereTheTextIsWrong) {
  const Result<Json> json = ParseJson("{\"a\": 1,\n \"b\": x}");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, Code::kInvalidArgument);
  EXPECT_THAT(json.error().message, HasSubstr("line 2, column 7"));
  EXPECT_THAT(json.error().message, Not(HasSubstr("json.exception")));
}

TEST(JsonTest, RefusesWhatIsNotOneDocument) {
  for (const std::string_view text :
       {"", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "01", "1 2", "[1] x", "nul", "\"\xff\"",
        "\"\n\"", "{'a':1}", "NaN", "1e999", "\"\\ud800\"", "/* */ 1"}) {
    EXPECT_FALSE(ParseJson(text)) << text;
  }
}

TEST(JsonTest, AMessageStaysOneShortLine) {
  const std::string text = "\"" + std::string(1 << 20, 'a') + "\n";
  const Result<Json> json = ParseJson(text);
  ASSERT_FALSE(json);
  EXPECT_LT(json.error().message.size(), 400);
  EXPECT_EQ(json.error().message.find('\n'), std::string::npos);
}

TEST(JsonTest, DepthIsBounded) {
  EXPECT_TRUE(ParseJson(Nested(limits::kJsonDepth)));
  EXPECT_THAT(ParseJson(Nested(limits::kJsonDepth + 1)).error().message, HasSubstr("deeper than"));
  EXPECT_FALSE(ParseJson(std::string(5'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(ParseJson(objects));
}

TEST(JsonTest, AMemberMayComeOnlyOnce) {
  const Result<Json> json = ParseJson(R"({"a":1,"b":{"a":2},"a":3})");
  ASSERT_FALSE(json);
  EXPECT_THAT(json.error().message, HasSubstr("'a' comes twice"));
  EXPECT_TRUE(ParseJson(R"([{"a":1},{"a":2}])"));
}

TEST(JsonTest, SizeIsBounded) {
  const std::string text(static_cast<std::size_t>(limits::kJsonBytes) + 1, ' ');
  EXPECT_EQ(ParseJson(text).error().code, Code::kResourceExhausted);
}

TEST(JsonTest, DumpSortsAndRepairsText) {
  EXPECT_EQ(DumpJson(Json{{"b", 1}, {"a", "\xff"}}), "{\"a\":\"\xef\xbf\xbd\",\"b\":1}");
}

TEST(JsonTest, UnknownFieldsNameTheNearestKnownOne) {
  const Json json = {{"name", "m"}, {"verison", 1}};
  const Result<void> known = OnlyKnownFields(json, {"name", "version", "tags"});
  ASSERT_FALSE(known);
  EXPECT_EQ(known.error().code, Code::kInvalidArgument);
  EXPECT_THAT(known.error().message, HasSubstr("'verison'"));
  EXPECT_THAT(known.error().fix, HasSubstr("'version'"));
  EXPECT_TRUE(OnlyKnownFields(json, {"name", "verison"}));
  EXPECT_TRUE(OnlyKnownFields(Json::object(), {}));
  EXPECT_FALSE(OnlyKnownFields(Json::array(), {"name"}));
  EXPECT_EQ(OnlyKnownFields(Json{{"zzz", 1}}, {"name"}).error().fix, "");
}

TEST(JsonTest, NearestIsNearOrNothing) {
  EXPECT_EQ(Nearest("nmae", {"name", "version"}), "name");
  EXPECT_EQ(Nearest("cpu_cors", {"cpu_cores", "memory_gb"}), "cpu_cores");
  EXPECT_EQ(Nearest("x", {"name", "version"}), "");
  EXPECT_EQ(Nearest("", {"name"}), "");
  EXPECT_EQ(Nearest("anything", {}), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'a'), {"name"}), "");
}

TEST(JsonTest, MembersAreChecked) {
  const Json json = {{"s", "text"},  {"i", 7},   {"b", true},
                     {"n", nullptr}, {"d", 1.5}, {"u", 18446744073709551615U}};
  EXPECT_EQ(*GetString(json, "s"), "text");
  EXPECT_EQ(*GetInt(json, "i"), 7);
  EXPECT_TRUE(*GetBoolOr(json, "b", false));
  EXPECT_THAT(GetString(json, "x").error().message, HasSubstr("'x' is missing"));
  EXPECT_THAT(GetString(json, "i").error().message, HasSubstr("'i' must be a string"));
  EXPECT_THAT(GetString(json, "n").error().message, HasSubstr("not null"));
  EXPECT_FALSE(GetInt(json, "d"));
  EXPECT_FALSE(GetInt(json, "b"));
  EXPECT_THAT(GetInt(json, "u").error().message, HasSubstr("out of range"));
  EXPECT_FALSE(GetString(Json::array(), "s"));
}

TEST(JsonTest, FallbacksAreForAbsentAndNullOnly) {
  const Json json = {{"n", nullptr}, {"s", 1}, {"i", "1"}, {"b", 1}};
  EXPECT_EQ(*GetStringOr(json, "x", "f"), "f");
  EXPECT_EQ(*GetStringOr(json, "n", "f"), "f");
  EXPECT_FALSE(GetStringOr(json, "s", "f"));
  EXPECT_EQ(*GetIntOr(json, "x", 3), 3);
  EXPECT_EQ(*GetIntOr(json, "n", 3), 3);
  EXPECT_FALSE(GetIntOr(json, "i", 3));
  EXPECT_TRUE(*GetBoolOr(json, "n", true));
  EXPECT_FALSE(GetBoolOr(json, "b", true));
}

}  // namespace
}  // namespace slipway
