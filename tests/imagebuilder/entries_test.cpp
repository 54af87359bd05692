// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/entries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace slipway::imagebuilder {
namespace {

using Kind = FileEntry::Kind;

FileEntry File(std::string path) { return {.path = std::move(path), .text = "x"}; }

TEST(ArrangeEntries, SortsByBytesAndAddsParents) {
  std::vector<FileEntry> given = {File("/b/c/d"),
                                  File("/a-b"),
                                  File("/a/z"),
                                  {.path = "/tmp", .kind = Kind::kFolder, .mode = 01777}};
  const std::vector<std::string> expected = {"a", "a-b", "a/z", "b", "b/c", "b/c/d", "tmp"};
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::ranges::shuffle(given, random);
    const auto arranged = ArrangeEntries(given);
    ASSERT_TRUE(arranged.has_value());
    std::vector<std::string> paths;
    for (const FileEntry& entry : *arranged) paths.push_back(entry.path);
    EXPECT_EQ(paths, expected);
    EXPECT_EQ((*arranged)[0].kind, Kind::kFolder);
    EXPECT_EQ((*arranged)[0].mode, 0755U);
    EXPECT_EQ((*arranged)[6].mode, 01777U);
  }
}

TEST(ArrangeEntries, KeepsTheModeOfAGivenParent) {
  const auto arranged =
      ArrangeEntries({File("/var/x"), {.path = "/var", .kind = Kind::kFolder, .mode = 0700}});
  ASSERT_TRUE(arranged.has_value());
  EXPECT_EQ(arranged->front().mode, 0700U);
}

TEST(ArrangeEntries, RefusesWhatNoImageCanHold) {
  const std::vector<std::vector<FileEntry>> wrong = {
      {File("relative")},
      {File("")},
      {File("/")},
      {File("/a//b")},
      {File("/a/../b")},
      {File("/a/./b")},
      {File("/a/")},
      {File("/.wh.gone")},
      {File("/bad\xff")},
      {File(std::string("/nul\0x", 6))},
      {File("/" + std::string(256, 'n'))},
      {File("/a"), File("/a")},
      {File("/a"), File("/a/b")},
      {{.path = "/set", .mode = 04755, .text = "x"}},
      {{.path = "/set", .mode = 02755, .text = "x"}},
      {{.path = "/link", .kind = Kind::kSymlink}},
      {{.path = "/file", .text = "x", .link_target = "y"}},
      {{.path = "/folder", .kind = Kind::kFolder, .mode = 0755, .text = "x"}},
      {{.path = "/folder", .kind = Kind::kFolder, .mode = 0755},
       {.path = "/folder", .kind = Kind::kFolder, .mode = 0700}},
  };
  for (const std::vector<FileEntry>& entries : wrong) {
    const auto arranged = ArrangeEntries(entries);
    ASSERT_FALSE(arranged.has_value()) << entries.front().path;
    EXPECT_EQ(arranged.error().code, Code::kInvalidArgument);
    EXPECT_EQ(arranged.error().id, "Image.Spec");
  }
}

TEST(SplitPath, BoundsDepth) {
  std::string deep = "a";
  for (int i = 0; i < 127; ++i) deep += "/a";
  EXPECT_TRUE(SplitPath(deep).has_value());
  EXPECT_FALSE(SplitPath(deep + "/a").has_value());
}

}  // namespace
}  // namespace slipway::imagebuilder
