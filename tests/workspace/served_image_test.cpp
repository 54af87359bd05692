// SPDX-License-Identifier: Apache-2.0
#include "workspace/served_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/rootfs_import.h"
#include "tests/support/json.h"
#include "tests/support/tempdir.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ServedImages : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened =
        Workspace::Open({.state = folder_ / "state", .server_program = {}, .pack_ahead = false});
    ASSERT_TRUE(opened) << opened.error().message;
    workspace_ = *std::move(opened);
  }
  /// The folder of an OCI layout of an image that runs a shell.
  fs::path ForeignLayout() {
    EXPECT_TRUE(MakeFolders(folder_ / "rootfs/bin"));
    EXPECT_TRUE(WriteFileAtomic(folder_ / "rootfs/bin/sh", "#!", {.mode = 0755}));
    imagebuilder::BuildContext context{.blobs = workspace_->blobs(),
                                       .cache = workspace_->layer_cache()};
    const auto image = imagebuilder::ImportRootfs(folder_ / "rootfs", "amd64", context);
    EXPECT_TRUE(image) << image.error().message;
    const auto output = imagebuilder::FindOutput("oci-dir");
    EXPECT_TRUE(output && image &&
                output->write(workspace_->blobs(), *image, "foreign:1", folder_ / "layout"));
    return folder_ / "layout";
  }
  Result<ServedImage> LayOut(const ServedImageRequest& wanted) {
    return LayOutServed(*workspace_, wanted, {});
  }

  testing::TempDir folder_;
  std::unique_ptr<Workspace> workspace_;
};

TEST_F(ServedImages, OneThatRunsAnotherProgramIsRefused) {
  const auto served = LayOut({.place = ForeignLayout()});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "Image.NotServable");
  EXPECT_THAT(served.error().message, HasSubstr("but /bin/sh"));
  EXPECT_FALSE(fs::exists(folder_ / "state/run/environments")) << "nothing of it is laid out";
}

TEST_F(ServedImages, AnotherDigestThanWantedIsDamage) {
  const auto served =
      LayOut({.place = ForeignLayout(), .digest = "sha256:" + std::string(64, '0')});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "Image.Damaged");
}

TEST_F(ServedImages, OneThatIsToBeHereAndIsNotIsNamed) {
  const auto served = LayOut({.digest = "sha256:" + std::string(64, '0')});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "Blob.NotFound");
  const Json told = testing::ParsedJson(ServedImageText(served));
  EXPECT_EQ(told["status"], 404);
  EXPECT_EQ(told["problem"]["code"], "Blob.NotFound");
}

TEST_F(ServedImages, WhatIsNoLayoutIsRefusedByName) {
  ASSERT_TRUE(MakeFolders(folder_ / "empty"));
  const auto served = LayOut({.place = folder_ / "empty"});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "Image.Archive");
  EXPECT_THAT(served.error().message, HasSubstr((folder_ / "empty").string()));
  EXPECT_THAT(served.error().fix, HasSubstr("slipway image save"));
}

}  // namespace
}  // namespace slipway::workspace
