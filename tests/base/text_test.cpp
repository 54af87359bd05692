// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace slipway {
namespace {

using ::testing::ElementsAre;

std::string Encode(std::string_view text) {
  return EncodeBase64(std::as_bytes(std::span(text.data(), text.size())));
}

// RFC 4648 section 10.
TEST(TextTest, Base64KnownAnswers) {
  EXPECT_EQ(Encode(""), "");
  EXPECT_EQ(Encode("f"), "Zg==");
  EXPECT_EQ(Encode("fo"), "Zm8=");
  EXPECT_EQ(Encode("foo"), "Zm9v");
  EXPECT_EQ(Encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Encode("\xfb\xff"), "+/8=");
}

TEST(TextTest, Base64RoundTrips) {
  std::mt19937 random(7);
  for (std::size_t length = 0; length < 300; ++length) {
    std::string raw(length, '\0');
    for (char& c : raw) c = static_cast<char>(random());
    EXPECT_EQ(*DecodeBase64(Encode(raw)), raw);
  }
}

TEST(TextTest, Base64RefusesWhatIsNotCanonical) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zm9v=", "Zg==Zg==", "Z===", "====", "Zm9\n", "Zm-_", "Zh==", "Zm9="}) {
    const Result<std::string> decoded = DecodeBase64(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Code::kInvalidArgument);
  }
}

TEST(TextTest, PercentEncodesAllButUnreserved) {
  EXPECT_EQ(EncodePercent("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(EncodePercent("a b/c?\xc3\xa9%"), "a%20b%2Fc%3F%C3%A9%25");
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(*DecodePercent(EncodePercent(all)), all);
  EXPECT_EQ(*DecodePercent("%2f%2F"), "//");
}

TEST(TextTest, PercentRefusesBadEscapes) {
  for (const std::string_view text : {"%", "%2", "%g0", "%0g", "abc%", "%%20"}) {
    EXPECT_FALSE(DecodePercent(text)) << text;
  }
}

TEST(TextTest, SplitJoinTrimLower) {
  EXPECT_THAT(Split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(Split("", ','), ElementsAre(""));
  const std::vector<std::string> parts = {"a", "", "b"};
  EXPECT_EQ(Join(parts, ", "), "a, , b");
  EXPECT_EQ(Join({}, ","), "");
  EXPECT_EQ(Trim(" \t\r\n a b \v"), "a b");
  EXPECT_EQ(Trim("  "), "");
  EXPECT_EQ(ToLower("AbZ\xc3\x84"), "abz\xc3\x84");
}

TEST(TextTest, Utf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_TRUE(IsUtf8("\xed\x9f\xbf\xf4\x8f\xbf\xbf"));
  for (const std::string_view text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "a\xff"}) {
    EXPECT_FALSE(IsUtf8(text)) << EncodePercent(text);
  }
}

TEST(TextTest, RandomHexIsHexAndDiffers) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string text = RandomHex(16);
    EXPECT_EQ(text.size(), 32);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
    seen.insert(text);
  }
  EXPECT_EQ(seen.size(), 100);
  EXPECT_EQ(RandomHex(0), "");
}

TEST(TextTest, EqualSecrets) {
  EXPECT_TRUE(EqualSecrets("abc", "abc"));
  EXPECT_TRUE(EqualSecrets("", ""));
  EXPECT_FALSE(EqualSecrets("abc", "abd"));
  EXPECT_FALSE(EqualSecrets("abc", "abcd"));
}

}  // namespace
}  // namespace slipway
