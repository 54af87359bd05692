// SPDX-License-Identifier: Apache-2.0
#include "registry/names.h"

#include <string>

#include "base/limits.h"
#include "base/text.h"
#include "registry/registry.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

TEST(Names, TakesWhatTheyMayBe) {
  for (const char* name : {"a", "7", "MyONNXmodel", "my-model_2.1", "a..b", "0-"}) {
    EXPECT_TRUE(CheckName("model name", name)) << name;
  }
  EXPECT_TRUE(CheckName("model name", std::string(255, 'x')));
}

TEST(Names, RefusesTheRestAndShowsIt) {
  for (const char* name : {"", "-a", ".a", "_a", "a b", "a/b", "a:1", "ü", "a\n", "..", "a\x01"}) {
    const auto checked = CheckName("model name", name);
    EXPECT_THAT(checked, FailsWith(Code::kInvalidArgument, "Name.Invalid")) << name;
    EXPECT_THAT(checked.error().message, ::testing::StartsWith("model name \""));
    EXPECT_EQ(checked.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(CheckName("model name", std::string(256, 'x')));
  EXPECT_FALSE(CheckName("model name", std::string_view("a\0b", 3)));
}

TEST(Names, PathsStayInsideTheirFolder) {
  for (const char* path : {"a", "a/b/c.onnx", "..a", "a..", "a b", "ü/ö", ".hidden", "a/.b"}) {
    EXPECT_TRUE(CheckPath(path)) << path;
  }
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a",
                           "a/.", "a\\b", "a\nb", "\x7f", "\xff", "a/\xc3"}) {
    EXPECT_THAT(CheckPath(path), FailsWith(Code::kInvalidArgument, "Model.File")) << path;
  }
  EXPECT_FALSE(CheckPath(std::string_view("a\0b", 3)));
  EXPECT_TRUE(CheckPath(std::string(255, 'x')));
  EXPECT_FALSE(CheckPath(std::string(256, 'x')));
  std::string deep;
  while (deep.size() < 1024) deep += "dir/";
  EXPECT_FALSE(CheckPath(deep + "x"));
}

TEST(Names, ShownTextIsOneShortPrintableLine) {
  EXPECT_EQ(Shown("plain"), "\"plain\"");
  EXPECT_EQ(Shown("a\nb\x1b["), "\"a?b?[\"");
  EXPECT_EQ(Shown("\xff\xfe"), "\"??\"");
  for (std::size_t offset = 0; offset < 4; ++offset) {
    std::string text(offset, 'x');
    for (int i = 0; i < 100; ++i) text += "€";
    const std::string shown = Shown(text);
    EXPECT_LT(shown.size(), 100U);
    EXPECT_TRUE(IsUtf8(shown)) << shown;
    EXPECT_THAT(shown, ::testing::EndsWith("…\""));
  }
}

TEST(Names, TextsHaveLimits) {
  EXPECT_TRUE(CheckText("description", std::string(limits::kTextChars, 'x')));
  EXPECT_FALSE(CheckText("description", std::string(limits::kTextChars + 1, 'x')));
  EXPECT_FALSE(CheckText("description", "\xff"));
  EXPECT_FALSE(CheckText("description", std::string_view("\0", 1)));
  EXPECT_TRUE(CheckText("description", "two\nlines"));

  EXPECT_TRUE(CheckTextMap("tag", {{"a", ""}, {"b=c", "ü"}}));
  EXPECT_FALSE(CheckTextMap("tag", {{"", "x"}}));
  EXPECT_FALSE(CheckTextMap("tag", {{"a\n", "x"}}));
  EXPECT_FALSE(CheckTextMap("tag", {{"a", "\xff"}}));
  std::map<std::string, std::string> many;
  for (int i = 0; i < limits::kTags; ++i) many[std::to_string(i)] = "";
  EXPECT_TRUE(CheckTextMap("tag", many));
  many["one more"] = "";
  EXPECT_THAT(CheckTextMap("tag", many), FailsWith(Code::kInvalidArgument, "Model.Field"));
}

TEST(Names, AliasesDoNotLookLikeVersions) {
  EXPECT_TRUE(CheckAlias("production"));
  EXPECT_TRUE(CheckAlias("v2"));
  for (const char* alias : {"latest", "3", "", "a b"}) EXPECT_FALSE(CheckAlias(alias)) << alias;
}

}  // namespace
}  // namespace slipway::registry::testing
