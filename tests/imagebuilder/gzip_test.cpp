// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "tests/imagebuilder/raw_layer.h"

namespace slipway::imagebuilder {
namespace {

std::string RandomText(std::size_t size, unsigned seed, int letters) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() % static_cast<unsigned>(letters));
  return text;
}

Result<std::string> Gunzip(std::string_view compressed) {
  GunzipReader reader(std::as_bytes(std::span(compressed)));
  std::string text;
  for (;;) {
    const std::span<const std::byte> piece = TRY(reader.Next());
    if (piece.empty()) return text;
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
}

/// One member made by zlib, however large.
std::string ZlibGzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gzip, ReadsBackWhatItWrote) {
  for (const std::size_t size :
       {0U, 1U, 4096U, (1U << 20) - 1, 1U << 20, (1U << 20) + 1, 5000000U}) {
    const std::string text = RandomText(size, 1, 7);
    const auto back = Gunzip(Gzip(text));
    ASSERT_TRUE(back.has_value()) << size;
    EXPECT_EQ(*back, text) << size;
  }
}

TEST(Gzip, DependsOnTheBytesAloneNotOnThePieces) {
  const std::string text = RandomText(3'500'000, 2, 5);
  const std::string whole = Gzip(text);
  EXPECT_EQ(Gzip(text), whole);
  std::string pieces;
  GzipWriter writer([&](std::span<const std::byte> bytes) -> Result<void> {
    pieces.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  });
  std::mt19937 random(3);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t part = std::min<std::size_t>(rest.size(), random() % 200000);
    ASSERT_TRUE(writer.Write(std::as_bytes(std::span(rest.substr(0, part)))).has_value());
    rest.remove_prefix(part);
  }
  ASSERT_TRUE(writer.Finish().has_value());
  EXPECT_EQ(pieces, whole);
}

TEST(Gzip, DoesNotDependOnTheNumberOfThreads) {
  const std::string text = RandomText(9'300'000, 7, 6);
  const std::string whole = Gzip(text);
  for (const std::size_t members_max : {1U, 2U, 7U, 64U}) {
    std::string compressed;
    GzipWriter writer(
        [&](std::span<const std::byte> bytes) -> Result<void> {
          compressed.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        },
        members_max);
    ASSERT_TRUE(writer.Write(std::as_bytes(std::span(text))).has_value());
    ASSERT_TRUE(writer.Finish().has_value());
    EXPECT_TRUE(compressed == whole) << members_max;
  }
}

TEST(Gzip, HeaderHasNoTimeAndNoName) {
  const std::string bytes = Gzip("text");
  ASSERT_GT(bytes.size(), 10U);
  EXPECT_EQ(bytes.substr(0, 3), "\x1f\x8b\x08");
  EXPECT_EQ(bytes.substr(3, 5), std::string(5, '\0'));
}

TEST(Gzip, StopsWhereTheSinkFails) {
  int calls = 0;
  GzipWriter writer([&](std::span<const std::byte>) -> Result<void> {
    ++calls;
    return Error{.code = Code::kResourceExhausted, .message = "full"};
  });
  const std::string text(20 << 20, 'x');
  const auto written = writer.Write(std::as_bytes(std::span(text)));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().message, "full");
  EXPECT_EQ(calls, 1);
}

TEST(Gunzip, ReadsOneLargeMember) {
  const std::string text = RandomText(7'000'000, 4, 9);
  const auto back = Gunzip(ZlibGzip(text) + Gzip("and more") + ZlibGzip(text));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, text + "and more" + text);
}

TEST(Gunzip, RefusesEveryTruncationAndDamage) {
  const std::string text = RandomText(3000, 5, 40);
  const std::string large = ZlibGzip(RandomText(2'000'000, 6, 2));
  const std::string small = Gzip(text);
  for (std::size_t cut = 1; cut < small.size(); cut += 7) {
    EXPECT_FALSE(Gunzip(small.substr(0, cut)).has_value()) << cut;
  }
  for (const std::size_t cut : {std::size_t{30}, large.size() / 2, large.size() - 1}) {
    EXPECT_FALSE(Gunzip(large.substr(0, cut)).has_value()) << cut;
  }
  for (std::size_t at = 10; at < small.size(); at += 11) {
    std::string damaged = small;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(Gunzip(damaged).has_value()) << at;
  }
  const auto trailing = Gunzip(small + "garbage");
  ASSERT_FALSE(trailing.has_value());
  EXPECT_EQ(trailing.error().id, "Image.Damaged");
}

}  // namespace
}  // namespace slipway::imagebuilder
