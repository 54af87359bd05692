// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/proto_wire.h"

#include <gtest/gtest.h>

#include <random>

namespace slipway::server {
namespace {

TEST(ProtoWireTest, ReadsWhatItWrites) {
  std::string message;
  AppendProtoVarint(1, 300, message);
  AppendProtoBytes(2, "abc", message);
  const std::int64_t values[] = {1, -1};
  AppendProtoPacked(3, values, message);
  ProtoReader reader(message);
  EXPECT_EQ(reader.Next()->number, 1U);
  EXPECT_EQ(reader.Next()->bytes, "abc");
  EXPECT_EQ(reader.Next()->bytes.size(), 11U);
  EXPECT_TRUE(reader.AtEnd());
}

TEST(ProtoWireTest, RefusesWhatIsCutShortOrMalformed) {
  for (std::string_view message :
       {std::string_view("\x0a", 1), std::string_view("\x0a\x05hi", 4), std::string_view("\x08", 1),
        std::string_view("\x00\x01", 2), std::string_view("\x0b", 1),
        std::string_view("\x0d\x01", 2),
        std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11)}) {
    ProtoReader reader(message);
    EXPECT_FALSE(reader.Next());
  }
}

TEST(ProtoWireTest, AnyBytesEndInAnErrorOrTheEnd) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string message(random() % 24, '\0');
    for (char& c : message) c = static_cast<char>(random());
    ProtoReader reader(message);
    std::size_t fields = 0;
    while (!reader.AtEnd()) {
      auto field = reader.Next();
      if (!field) break;
      ASSERT_LE(++fields, message.size());
      ASSERT_LE(field->bytes.size(), message.size());
    }
  }
}

}  // namespace
}  // namespace slipway::server
