// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway {
namespace {

// FIPS 180-4 examples.
constexpr std::string_view kOfEmpty =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kOfAbc =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(DigestTest, KnownAnswers) {
  EXPECT_EQ(Digest::OfText("").text(), kOfEmpty);
  EXPECT_EQ(Digest::OfText("abc").text(), kOfAbc);
  EXPECT_EQ(Digest::OfText("abc").hex(), kOfAbc.substr(7));
}

TEST(DigestTest, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  hash.Update(Bytes("a"));
  hash.Update({});
  hash.Update(Bytes("bc"));
  EXPECT_EQ(hash.Finish(), Digest::OfText("abc"));
}

TEST(DigestTest, ParseTakesOnlyTheCanonicalForm) {
  EXPECT_EQ(Digest::Parse(kOfAbc)->text(), kOfAbc);
  std::string upper(kOfAbc);
  upper[10] = 'A';
  const std::string cases[] = {"",
                               "sha256:",
                               std::string(kOfAbc.substr(7)),
                               upper,
                               std::string(kOfAbc) + "0",
                               std::string(kOfAbc.substr(0, 70)),
                               "sha512:" + std::string(kOfAbc.substr(7)),
                               "sha256:../" + std::string(kOfAbc.substr(10))};
  for (const std::string& text : cases) {
    const Result<Digest> digest = Digest::Parse(text);
    ASSERT_FALSE(digest) << text;
    EXPECT_EQ(digest.error().code, Code::kInvalidArgument);
  }
}

TEST(DigestTest, OfFileReadsMoreThanOneBlock) {
  const testing::TempDir folder;
  const std::string content(1'000'003, 'x');
  ASSERT_TRUE(WriteFileAtomic(folder / "file", content));
  EXPECT_EQ(*Digest::OfFile(folder / "file"), Digest::OfText(content));
  EXPECT_EQ(Digest::OfFile(folder / "none").error().code, Code::kNotFound);
  EXPECT_FALSE(Digest::OfFile(folder.path()));
}

}  // namespace
}  // namespace slipway
