// SPDX-License-Identifier: Apache-2.0
#include "base/byte_size.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(ByteSize, ReadsNumbersAndPowersOf1024) {
  EXPECT_EQ(*ParseBytes("x", "1"), 1);
  EXPECT_EQ(*ParseBytes("x", "3K"), 3 << 10);
  EXPECT_EQ(*ParseBytes("x", "512M"), 512 << 20);
  EXPECT_EQ(*ParseBytes("x", "2G"), std::int64_t{2} << 30);
  EXPECT_EQ(*ParseBytes("x", "7T"), std::int64_t{7} << 40);
  EXPECT_EQ(*ParseBytes("x", "9223372036854775807"), INT64_MAX);
}

TEST(ByteSize, RefusesEverythingElseByName) {
  for (const char* text : {"", "0", "-1", "+1", " 1", "1 ", "K", "1k", "1KB", "1.5G", "0x10",
                           "9223372036854775808", "9007199254740992K", "8388608T"}) {
    const auto bytes = ParseBytes("--memory-limit", text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, Code::kInvalidArgument);
    EXPECT_NE(bytes.error().message.find("--memory-limit '" + std::string(text) + "'"),
              std::string::npos);
    EXPECT_FALSE(bytes.error().fix.empty());
  }
}

}  // namespace
}  // namespace slipway
