// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using testing::Slurp;

class Unpacking : public ::testing::Test {
 protected:
  Result<fs::path> Try(const std::vector<std::vector<RawMember>>& layers) {
    std::vector<Layer> stored;
    for (const auto& members : layers)
      stored.push_back(StoreLayer(place_.blobs(), RawTar(members)));
    image_ = StoreImage(place_.blobs(), stored);
    return Again();
  }
  Result<fs::path> Again() {
    return Unpack(place_.blobs(), image_, place_ / "bundle", place_ / "shared");
  }
  fs::path Must(const std::vector<std::vector<RawMember>>& layers) {
    const auto rootfs = Try(layers);
    EXPECT_TRUE(rootfs.has_value()) << rootfs.error().message;
    return rootfs ? *rootfs : fs::path("/nowhere");
  }
  /// Nothing but locks may be left of what failed.
  void ExpectClean() {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place_.folder())) {
      const std::string path = entry.path().lexically_relative(place_.folder());
      if (path.starts_with("blobs") || path.ends_with(".lock")) continue;
      EXPECT_TRUE(path == "bundle" || path == "shared" || path.starts_with("victim") ||
                  (path.starts_with("shared/") && !path.starts_with("shared/.unpack")))
          << path;
    }
  }
  BlobFixture place_;
  Image image_;
};

ino_t InodeOf(const fs::path& path) {
  struct stat facts {};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts.st_ino;
}

unsigned ModeOf(const fs::path& path) {
  struct stat facts {};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts.st_mode & 07777U;
}

TEST_F(Unpacking, LaysLayersOverEachOther) {
  const fs::path rootfs = Must({{{.name = "./"},
                                 {.name = "./etc/", .type = '5', .mode = 0755},
                                 {.name = "./etc/a", .content = "lower a"},
                                 {.name = "etc/b", .content = "lower b"},
                                 {.name = "tmp", .type = '5', .mode = 01777},
                                 {.name = "closed/", .type = '5', .mode = 0555},
                                 {.name = "closed/x", .mode = 0, .content = "x"},
                                 {.name = "swap", .content = "file"},
                                 {.name = "turn/x", .content = "folder"}},
                                {{.name = "etc/a", .content = "upper a"},
                                 {.name = "deep/er/est", .mode = 0755, .content = "new"},
                                 {.name = "same", .type = '1', .link = "etc/a"},
                                 {.name = "swap/inner", .content = "now a folder"},
                                 {.name = "turn", .content = "now a file"}}});
  EXPECT_EQ(Slurp(rootfs / "etc/a"), "upper a");
  EXPECT_EQ(Slurp(rootfs / "etc/b"), "lower b");
  EXPECT_EQ(Slurp(rootfs / "swap/inner"), "now a folder");
  EXPECT_EQ(Slurp(rootfs / "turn"), "now a file");
  EXPECT_EQ(InodeOf(rootfs / "same"), InodeOf(rootfs / "etc/a"));
  EXPECT_EQ(ModeOf(rootfs / "tmp"), 01777U);
  EXPECT_EQ(ModeOf(rootfs / "deep/er/est"), 0555U);
  EXPECT_EQ(ModeOf(rootfs / "etc/b"), 0444U);
  EXPECT_EQ(ModeOf(rootfs / "closed"), 0755U);
  EXPECT_EQ(ModeOf(rootfs / "closed/x"), 0400U);
}

TEST_F(Unpacking, AppliesWhiteouts) {
  const fs::path rootfs = Must({{{.name = "a", .content = "1"},
                                 {.name = "b/x", .content = "1"},
                                 {.name = "b/y", .content = "1"},
                                 {.name = "c/d/e", .content = "1"},
                                 {.name = "keep", .content = "1"}},
                                {{.name = ".wh.a"},
                                 {.name = "b/.wh..wh..opq"},
                                 {.name = "b/z", .content = "2"},
                                 {.name = "c/.wh.d"},
                                 {.name = ".wh.never"}}});
  EXPECT_FALSE(fs::exists(rootfs / "a"));
  EXPECT_FALSE(fs::exists(rootfs / "b/x"));
  EXPECT_FALSE(fs::exists(rootfs / "b/y"));
  EXPECT_EQ(Slurp(rootfs / "b/z"), "2");
  EXPECT_TRUE(fs::is_empty(rootfs / "c"));
  EXPECT_EQ(Slurp(rootfs / "keep"), "1");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(rootfs)) {
    EXPECT_FALSE(entry.path().filename().native().starts_with(".wh.")) << entry.path();
  }
}

TEST_F(Unpacking, LinksMeanTheSameFromOutside) {
  const fs::path rootfs = Must({{{.name = "usr/bin/tool", .content = "t"},
                                 {.name = "bin", .type = '2', .link = "/usr/bin"},
                                 {.name = "usr/local/way", .type = '2', .link = "/usr/bin/tool"},
                                 {.name = "usr/up", .type = '2', .link = "../usr/bin"},
                                 {.name = "dangling", .type = '2', .link = "/not/there"}}});
  EXPECT_EQ(Slurp(rootfs / "bin/tool"), "t");
  EXPECT_EQ(Slurp(rootfs / "usr/local/way"), "t");
  EXPECT_EQ(Slurp(rootfs / "usr/up/tool"), "t");
  EXPECT_EQ(fs::read_symlink(rootfs / "bin"), "./usr/bin");
}

TEST_F(Unpacking, SecondTimeIsNoWork) {
  const fs::path rootfs = Must({{{.name = "a/b", .content = "1"}}});
  const ino_t inode = InodeOf(rootfs);
  ASSERT_TRUE(Again().has_value());
  EXPECT_EQ(InodeOf(rootfs), inode);
}

TEST_F(Unpacking, ReplacesAnotherImageWhole) {
  Must({{{.name = "old", .content = "1"}}});
  const fs::path rootfs = Must({{{.name = "new", .content = "1"}}});
  EXPECT_TRUE(fs::exists(rootfs / "new"));
  EXPECT_FALSE(fs::exists(rootfs / "old"));
}

TEST_F(Unpacking, SharesFilesBetweenImages) {
  const std::vector<RawMember> base = {{.name = "lib/big", .content = std::string(100000, 'b')}};
  const fs::path first = Must({base, {{.name = "x", .content = "1"}}});
  const Image one = image_;
  const Layer lower = image_.layers[0];
  const Image two =
      StoreImage(place_.blobs(), {lower, StoreLayer(place_.blobs(), RawTar({{.name = "y"}}))});
  const auto second = Unpack(place_.blobs(), two, place_ / "other", place_ / "shared");
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(InodeOf(first / "lib/big"), InodeOf(*second / "lib/big"));
}

TEST_F(Unpacking, FinishesWhatAKilledProcessLeft) {
  const fs::path rootfs = Must({{{.name = "a", .content = "1"}}});
  fs::remove(place_ / "bundle/rootfs.digest");
  fs::remove(rootfs / "a");
  fs::create_directories(place_ / "bundle/.unpack-dead/rootfs/x");
  fs::create_directories(place_ / "shared/.unpack-dead/layer");
  ASSERT_TRUE(Again().has_value());
  EXPECT_EQ(Slurp(rootfs / "a"), "1");
  EXPECT_FALSE(fs::exists(place_ / "bundle/.unpack-dead"));
  EXPECT_FALSE(fs::exists(place_ / "shared/.unpack-dead"));
}

/// Nothing is synced: what was unpacked before the machine started may be cut, and does not count.
TEST_F(Unpacking, WhatAnEarlierRunOfTheMachineLeftIsMadeAgain) {
  const fs::path rootfs = Must({{{.name = "a", .content = "whole"}}});
  int marks = 0;
  for (const auto& entry : fs::recursive_directory_iterator(place_.folder())) {
    const std::string name = entry.path().filename();
    if (name != "boot" && name != "rootfs.digest") continue;
    std::string text = Slurp(entry.path());
    ASSERT_GT(text.size(), 2U);
    text[text.size() - 2] = text[text.size() - 2] == '0' ? '1' : '0';
    place_.Write(entry.path().lexically_relative(place_.folder()), text);
    ++marks;
  }
  EXPECT_EQ(marks, 2);
  fs::permissions(rootfs / "a", fs::perms(0600));
  fs::resize_file(rootfs / "a", 0);
  ASSERT_TRUE(Again().has_value());
  EXPECT_EQ(Slurp(rootfs / "a"), "whole");
}

TEST_F(Unpacking, ManyAtOnceAgree) {
  std::vector<RawMember> members;
  for (int i = 0; i < 200; ++i) {
    members.push_back({.name = "f/" + std::to_string(i), .content = std::to_string(i)});
  }
  image_ = StoreImage(place_.blobs(), {StoreLayer(place_.blobs(), RawTar(members))});
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(Again().has_value() ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Slurp(place_ / "bundle/rootfs/f/199"), "199");
  EXPECT_EQ(std::distance(fs::directory_iterator(place_ / "shared"), {}), 2);
}

TEST_F(Unpacking, RefusesAttacksAndLeavesNothing) {
  const fs::path victim = place_.Write("victim/file", "untouched");
  const std::string outside = victim.parent_path();
  const std::map<std::string, std::vector<std::vector<RawMember>>> attacks = {
      {"absolute path", {{{.name = "/etc/x", .content = "!"}}}},
      {"dot dot", {{{.name = "../../victim/file", .content = "!"}}}},
      {"dot dot inside", {{{.name = "a/../../b", .content = "!"}}}},
      {"dot dot last", {{{.name = "a/..", .type = '5', .mode = 0777}}}},
      {"root as file", {{{.name = "./", .type = '2', .link = "/"}}}},
      {"through a link",
       {{{.name = "l", .type = '2', .link = outside}, {.name = "l/file", .content = "!"}}}},
      {"through a relative link",
       {{{.name = "l", .type = '2', .link = "../../victim"}, {.name = "l/file", .content = "!"}}}},
      {"over a link",
       {{{.name = "l", .type = '2', .link = outside + "/file"}, {.name = "l", .content = "!"}}}},
      {"hard link out", {{{.name = "h", .type = '1', .link = "../../victim/file"}}}},
      {"hard link absolute", {{{.name = "h", .type = '1', .link = outside + "/file"}}}},
      {"hard link through a link",
       {{{.name = "l", .type = '2', .link = outside},
         {.name = "h", .type = '1', .link = "l/file"}}}},
      {"hard link to a link",
       {{{.name = "l", .type = '2', .link = outside + "/file"},
         {.name = "h", .type = '1', .link = "l"}}}},
      {"hard link to nothing", {{{.name = "h", .type = '1', .link = "nothing"}}}},
      {"hard link to a folder",
       {{{.name = "d", .type = '5', .mode = 0755}, {.name = "h", .type = '1', .link = "d"}}}},
      {"character device", {{{.name = "dev/null", .type = '3', .mode = 0666}}}},
      {"block device", {{{.name = "dev/sda", .type = '4', .mode = 0666}}}},
      {"pipe", {{{.name = "p", .type = '6', .mode = 0666}}}},
      {"setuid", {{{.name = "su", .mode = 04755, .content = "!"}}}},
      {"setgid", {{{.name = "sg", .mode = 02755, .content = "!"}}}},
      {"setgid folder", {{{.name = "sg/", .type = '5', .mode = 02755}}}},
      {"link out", {{{.name = "l", .type = '2', .link = "../../victim/file"}}}},
      {"link out by two",
       {{{.name = "a/b/up", .type = '2', .link = "../.."},
         {.name = "a/b/out", .type = '2', .link = "up/../victim/file"}}}},
      {"link out over layers",
       {{{.name = "a/up", .type = '2', .link = ".."}},
        {{.name = "b", .type = '2', .link = "a/up/../../x"}}}},
      {"whiteout of dot dot", {{{.name = "a", .content = "1"}}, {{.name = ".wh..."}}}},
      {"whiteout of dot", {{{.name = ".wh.."}}}},
      {"whiteout of nothing", {{{.name = ".wh."}}}},
      {"whiteout link", {{{.name = ".wh.x", .type = '2', .link = "y"}}}},
      {"whiteout folder", {{{.name = ".wh.x/y", .content = "!"}}}},
      {"whiteout folder entry", {{{.name = ".wh.x/", .type = '5'}}}},
      {"twice", {{{.name = "a", .content = "1"}, {.name = "a", .content = "2"}}}},
      {"file then folder", {{{.name = "a", .content = "1"}, {.name = "a/b", .content = "2"}}}},
      {"long name",
       {{{.name = "x", .type = 'L', .content = std::string(300, 'n') + '\0'},
         {.name = "x", .content = "1"}}}},
  };
  for (const auto& [what, layers] : attacks) {
    const auto rootfs = Try(layers);
    ASSERT_FALSE(rootfs.has_value()) << what;
    EXPECT_EQ(rootfs.error().code, Code::kDataLoss) << what << ": " << rootfs.error().message;
    EXPECT_EQ(rootfs.error().message.find('\n'), std::string::npos) << what;
    EXPECT_FALSE(fs::exists(place_ / "bundle/rootfs")) << what;
    EXPECT_EQ(Slurp(victim), "untouched") << what;
    ExpectClean();
  }
}

TEST_F(Unpacking, RefusesALayerThatIsNotItsDiffId) {
  const std::string tar = RawTar({{.name = "a", .content = "1"}});
  Layer layer = StoreLayer(place_.blobs(), tar);
  layer.diff_id = Digest::OfText("other").text();
  image_ = StoreImage(place_.blobs(), {layer});
  const auto rootfs = Again();
  ASSERT_FALSE(rootfs.has_value());
  EXPECT_EQ(rootfs.error().code, Code::kDataLoss);
  EXPECT_NE(rootfs.error().message.find(layer.diff_id), std::string::npos);
  ExpectClean();
}

TEST_F(Unpacking, RefusesBytesThatAreNoLayer) {
  const std::string tar = RawTar({{.name = "a", .content = std::string(5000, 'x')}});
  for (const std::string& bad : {std::string("no tar at all"), tar.substr(0, 700),
                                 tar.substr(0, 2000), std::string(600, 'x'), std::string()}) {
    image_ = StoreImage(place_.blobs(), {StoreLayer(place_.blobs(), bad)});
    const auto rootfs = Again();
    ASSERT_FALSE(rootfs.has_value()) << bad.size();
    EXPECT_EQ(rootfs.error().code, Code::kDataLoss) << rootfs.error().message;
    ExpectClean();
  }
}

TEST_F(Unpacking, RefusesADamagedBlob) {
  Layer layer = StoreLayer(place_.blobs(), RawTar({{.name = "a", .content = "1"}}));
  image_ = StoreImage(place_.blobs(), {layer});
  const fs::path blob = *place_.blobs().Path(*Digest::Parse(layer.blob.digest));
  std::string bytes = Slurp(blob);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  fs::remove(blob);
  place_.Write(blob.lexically_relative(place_.folder()), bytes);
  const auto rootfs = Again();
  ASSERT_FALSE(rootfs.has_value());
  EXPECT_EQ(rootfs.error().code, Code::kDataLoss);
  ExpectClean();
}

}  // namespace
}  // namespace slipway::imagebuilder
