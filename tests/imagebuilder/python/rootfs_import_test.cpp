// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/rootfs_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using testing::BlobFixture;
using ::testing::HasSubstr;

Result<Image> Import(BlobFixture& place) {
  const auto cache = MakeMemoryLayerCache();
  BuildContext context{.blobs = place.blobs(), .cache = *cache};
  return ImportRootfs(place / "root", "amd64", context);
}

void MakeRoot(BlobFixture& place) {
  place.Write("root/usr/bin/tool", "tool");
  fs::permissions(place / "root/usr/bin/tool", fs::perms(04755));
  place.Write("root/etc/os-release", "ID=test\n");
  fs::create_symlink("usr/bin", place / "root/bin");
  place.Write("root/tmp/leftover", "x");
  place.Write("root/proc/1/status", "x");
  fs::create_directories(place / "root/dev");
  ASSERT_EQ(::mkfifo((place / "root/dev/initctl").c_str(), 0600), 0);
}

TEST(RootfsImport, MakesAValidImageOfTheFolder) {
  BlobFixture place;
  MakeRoot(place);
  ASSERT_TRUE(IsRootfs(place / "root"));
  const auto image = Import(place);
  ASSERT_TRUE(image) << image.error().message;
  const auto valid = Validate(place.blobs(), *image);
  EXPECT_TRUE(valid) << valid.error().message;
  const auto root = Unpack(place.blobs(), *image, place / "unpacked", place / "layers");
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(testing::Slurp(*root / "usr/bin/tool"), "tool");
  EXPECT_EQ(testing::Slurp(*root / "bin/tool"), "tool");
  EXPECT_EQ(fs::status(*root / "usr/bin/tool").permissions() & fs::perms::set_uid, fs::perms::none);
  EXPECT_TRUE(fs::is_directory(*root / "tmp"));
  EXPECT_TRUE(fs::is_empty(*root / "tmp"));
  EXPECT_TRUE(fs::is_empty(*root / "proc"));
  EXPECT_TRUE(fs::is_empty(*root / "dev"));
}

TEST(RootfsImport, TheSameFilesGiveTheSameDigest) {
  BlobFixture place, other;
  MakeRoot(place);
  MakeRoot(other);
  const auto first = Import(place), second = Import(other);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->manifest.digest, second->manifest.digest);
  other.Write("root/etc/os-release", "ID=other\n");
  EXPECT_NE(Import(other)->manifest.digest, first->manifest.digest);
}

TEST(RootfsImport, NamesWhatNoImageCanHold) {
  BlobFixture place;
  MakeRoot(place);
  ASSERT_EQ(::mkfifo((place / "root/usr/pipe").c_str(), 0600), 0);
  const auto image = Import(place);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().id, "Image.Base");
  EXPECT_THAT(image.error().message, HasSubstr("/usr/pipe"));
}

TEST(RootfsImport, TellsARootFromALayout) {
  BlobFixture place;
  place.Write("layout/index.json", "{}");
  fs::create_directories(place / "layout/bin");
  fs::create_directories(place / "empty");
  EXPECT_FALSE(IsRootfs(place / "layout"));
  EXPECT_FALSE(IsRootfs(place / "empty"));
  EXPECT_FALSE(IsRootfs(place / "absent"));
}

}  // namespace
}  // namespace slipway::imagebuilder
