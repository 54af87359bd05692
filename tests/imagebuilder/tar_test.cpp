// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/tar.h"

#include <gtest/gtest.h>

#include "imagebuilder/tar_reader.h"
#include "tests/imagebuilder/raw_layer.h"

namespace slipway::imagebuilder {
namespace {

using Kind = FileEntry::Kind;

std::string Archive(const std::vector<TarMember>& members) {
  std::string tar;
  for (const TarMember& member : members) {
    tar += TarHeader(member);
    if (member.kind == Kind::kFile) {
      tar.append(static_cast<std::size_t>(member.size), 'c');
      tar.append(TarPadding(member.size).size(), '\0');
    }
  }
  tar.append(TarEnd().size(), '\0');
  return tar;
}

ByteSource Once(const std::string& bytes) {
  return [rest = std::string_view(bytes)]() mutable -> Result<std::span<const std::byte>> {
    const std::string_view piece = rest.substr(0, 777);
    rest.remove_prefix(piece.size());
    return std::as_bytes(std::span(piece));
  };
}

Result<std::vector<TarEntry>> ReadAll(const std::string& tar) {
  TarReader reader(Once(tar));
  std::vector<TarEntry> entries;
  for (;;) {
    std::optional<TarEntry> entry = TRY(reader.Next());
    if (!entry) return entries;
    entries.push_back(*std::move(entry));
  }
}

std::string Deep(std::size_t size) {
  std::string path;
  while (path.size() < size) path += "folder-name/";
  path.resize(size);
  if (path.back() == '/') path.back() = 'x';
  return path;
}

TEST(Tar, AnotherReaderSeesTheSameMembers) {
  std::vector<TarMember> members;
  for (const std::size_t size : {1U, 99U, 100U, 101U, 155U, 200U, 254U, 256U, 257U, 400U, 1000U}) {
    members.push_back({.path = Deep(size), .mode = 0755, .size = static_cast<std::int64_t>(size)});
    members.push_back({.path = Deep(size) + "d", .kind = Kind::kFolder, .mode = 01777});
    members.push_back({.path = Deep(size) + "l",
                       .kind = Kind::kSymlink,
                       .mode = 0777,
                       .link_target = "../" + Deep(size)});
  }
  members.push_back({.path = std::string(250, 'n'), .size = 512});
  members.push_back({.path = "größe/模型.onnx", .size = 513});
  members.push_back({.path = "l2", .kind = Kind::kSymlink, .mode = 0777, .link_target = "größe"});
  const auto entries = ReadAll(Archive(members));
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  ASSERT_EQ(entries->size(), members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const TarEntry& entry = (*entries)[i];
    EXPECT_EQ(entry.path, members[i].path);
    EXPECT_EQ(entry.mode, members[i].mode);
    EXPECT_EQ(entry.link_target, members[i].link_target);
    EXPECT_EQ(entry.size, members[i].size);
    EXPECT_EQ(static_cast<int>(entry.kind), static_cast<int>(members[i].kind));
    EXPECT_FALSE(entry.has_owner_or_time);
  }
}

TEST(Tar, CountsItsBytes) {
  for (const std::int64_t size : {0, 1, 511, 512, 513, 100'000}) {
    for (const std::string& path : {std::string("a"), Deep(300), std::string("ü")}) {
      const TarMember member{.path = path, .size = size};
      EXPECT_EQ(static_cast<std::size_t>(TarMemberBytes(member)) + TarEnd().size(),
                Archive({member}).size());
    }
  }
}

TEST(Tar, UsesPaxOnlyWhereNeeded) {
  EXPECT_EQ(TarHeader({.path = "etc/passwd", .size = 5}).size(), 512U);
  EXPECT_EQ(TarHeader({.path = Deep(200)}).size(), 512U);
  EXPECT_EQ(TarHeader({.path = "x", .size = (std::int64_t{1} << 33) - 1}).size(), 512U);
  EXPECT_EQ(TarHeader({.path = "ü"}).size(), 1536U);
  EXPECT_EQ(TarHeader({.path = std::string(101, 'x')}).size(), 1536U);
}

TEST(Tar, LargeSizesGoIntoPax) {
  const std::int64_t size = std::int64_t{1} << 33;
  TarReader reader([header = TarHeader({.path = "big", .size = size}),
                    given = false]() mutable -> Result<std::span<const std::byte>> {
    if (std::exchange(given, true)) return std::span<const std::byte>();
    return std::as_bytes(std::span(header));
  });
  const auto entry = reader.Next();
  ASSERT_TRUE(entry.has_value()) << entry.error().message;
  ASSERT_TRUE(entry->has_value());
  EXPECT_EQ((*entry)->size, size);
}

TEST(Tar, BytesAreFixed) {
  const std::string header = TarHeader({.path = "etc", .kind = Kind::kFolder, .mode = 0755});
  EXPECT_EQ(Digest::OfText(header).hex(),
            "80a07b154a9d380e487a0d11d90fad6be8e2a22c865e5d1cfcdd738b349067b2");
}

TEST(TarReader, PassesTheSourcesErrorOn) {
  TarReader reader([]() -> Result<std::span<const std::byte>> {
    return Error{.code = Code::kResourceExhausted, .message = "out of luck"};
  });
  const auto entry = reader.Next();
  ASSERT_FALSE(entry.has_value());
  EXPECT_EQ(entry.error().code, Code::kResourceExhausted);
  EXPECT_EQ(entry.error().message, "out of luck");
}

TEST(TarReader, AnyDamageIsAnErrorOrAnEntry) {
  const std::string good = RawTar({{.name = "a/b", .content = std::string(600, 'x')},
                                   {.name = "l", .type = '2', .link = "a"},
                                   {.name = "h", .type = '1', .link = "a/b"}});
  for (std::size_t at = 0; at < good.size(); at += 3) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    const auto entries = ReadAll(damaged);
    if (!entries) {
      EXPECT_FALSE(entries.error().message.empty());
    }
  }
  for (std::size_t cut = 1; cut + 1024 < good.size(); cut += 101) {
    EXPECT_FALSE(ReadAll(good.substr(0, cut)).has_value() &&
                 ReadAll(good.substr(0, cut))->size() == 4)
        << cut;
  }
}

}  // namespace
}  // namespace slipway::imagebuilder
