// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/error_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "runtime/runtime.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

std::string ReadableText(std::string text) {
  return Readable(Error{.code = Code::kInternal, .message = std::move(text)}).message;
}

TEST(ErrorText, IsOneLine) {
  EXPECT_EQ(ReadableText("plain, größer"), "plain, größer");
  EXPECT_EQ(ReadableText(std::string("a\nb\tc\0d\x1b[1m\x7f", 12)), "a?b?c?d?[1m?");
  EXPECT_EQ(ReadableText("\xffgr\xc3\xb6\xc3"), "?gr???");
}

TEST(ErrorText, IsNoLongerThanPeopleRead) {
  std::string text = "where";
  for (int i = 0; i < 5000; ++i) text += "ö";
  const std::string cut = ReadableText(text + "what");
  EXPECT_LE(cut.size(), 2000U);
  EXPECT_TRUE(IsUtf8(cut));
  EXPECT_TRUE(cut.starts_with("where"));
  EXPECT_TRUE(cut.ends_with("what"));
}

TEST(ErrorText, HoldsForNamesInAModel) {
  const std::string name = "line\nbreak \xff" + std::string(100'000, 'x');
  const std::string bytes =
      tiny::ModelOf(tiny::GraphOf({{"Relu", {name}, {"y"}}}, {{"x"}}, {{"y"}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("line?break"));
  EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
  EXPECT_LE(model.error().message.size(), 2000U);
}

TEST(ErrorText, HoldsForAnInputThatZerosCannotFill) {
  const std::string bytes = tiny::ModelOf(
      tiny::GraphOf({{"Identity", {"in\nput"}, {"y"}}}, {{"in\nput", DType::kUndefined}}, {{"y"}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  const auto feeds = ZeroFeeds(*model);
  ASSERT_FALSE(feeds);
  EXPECT_THAT(feeds.error().message, ::testing::StartsWith("input 'in?put'"));
}

}  // namespace
}  // namespace slipway::runtime
