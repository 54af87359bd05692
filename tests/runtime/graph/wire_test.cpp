// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::runtime {
namespace {

using ::testing::ElementsAre;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Wire, ReadsWhatIsWritten) {
  WireWriter writer;
  writer.Int(1, -5);
  writer.Bytes(2, "text");
  writer.Int(300, 1LL << 40);
  const std::string message = writer.Take();
  WireReader reader(Bytes(message));
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.number(), 1U);
  EXPECT_EQ(reader.Int(), -5);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.Text(), "text");
  EXPECT_EQ(reader.header_bytes(), 2U);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.number(), 300U);
  EXPECT_EQ(reader.Int(), 1LL << 40);
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.status());
}

TEST(Wire, RepeatedScalarsComePackedOrNot) {
  const std::string message("\x0a\x03\x01\x96\x01\x08\x07\x15\0\0\x80\x3f\x12\x04\0\0\0\x40", 18);
  WireReader reader(Bytes(message));
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  while (reader.Next()) {
    if (reader.number() == 1) reader.Ints(ints);
    if (reader.number() == 2) reader.Floats(floats);
  }
  EXPECT_TRUE(reader.status());
  EXPECT_THAT(ints, ElementsAre(1, 150, 7));
  EXPECT_THAT(floats, ElementsAre(1.0F, 2.0F));
}

TEST(Wire, DamageEndsTheWalk) {
  const std::string damaged[] = {
      std::string("\x08", 1),                         // no value
      std::string("\x0a\x05x", 3),                    // shorter than it says
      std::string("\x0d\0\0", 3),                     // cut in a number
      std::string("\x0b", 1),                         // a group
      std::string("\x00\x01", 2),                     // field 0
      std::string(11, '\xff'),                        // a tag without an end
      std::string("\x08") + std::string(10, '\x80'),  // a number without an end
      std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)};
  for (const std::string& message : damaged) {
    WireReader reader(Bytes(message));
    while (reader.Next()) {
    }
    EXPECT_FALSE(reader.status());
    EXPECT_FALSE(reader.Next());
  }
}

TEST(Wire, AnotherWireTypeIsDamage) {
  const std::string message("\x08\x01", 2);
  WireReader reader(Bytes(message));
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.Text(), "");
  EXPECT_FALSE(reader.status());
  const std::string odd("\x0a\x03\0\0\0", 5);
  WireReader packed(Bytes(odd));
  ASSERT_TRUE(packed.Next());
  std::vector<float> floats;
  packed.Floats(floats);
  EXPECT_FALSE(packed.status());
}

}  // namespace
}  // namespace slipway::runtime
