// SPDX-License-Identifier: Apache-2.0
#include "registry/folder_view.h"

#include <sys/stat.h>

#include <vector>

#include "base/file.h"
#include "tests/registry/child.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

namespace fs = std::filesystem;

class FolderViewTest : public RegistryTest {
 protected:
  fs::path run_ = folder_ / "run";
  std::vector<ModelFile> files_ = {store_.Put("a.bin", "1"), store_.Put("b/c/d.bin", "2"),
                                   store_.Put("b/c/e.bin", "1")};
};

TEST_F(FolderViewTest, ShowsBlobsUnderTheirPathsWithoutCopies) {
  const auto view = Must(FolderView::Make(run_, files_, *store_.blobs));
  for (const ModelFile& file : files_) {
    struct stat shown {
    }, stored{};
    ASSERT_EQ(::stat((view->path() / file.path).c_str(), &shown), 0);
    ASSERT_EQ(::stat(Must(store_.blobs->Path(*Digest::Parse(file.digest))).c_str(), &stored), 0);
    EXPECT_EQ(shown.st_ino, stored.st_ino);
  }
  EXPECT_FALSE(fs::is_symlink(view->path() / "a.bin"));
}

TEST_F(FolderViewTest, CopiesWhereLinksCannotReach) {
  const fs::path elsewhere = "/dev/shm";
  struct stat here {
  }, there{};
  if (::stat(folder_.path().c_str(), &here) != 0 || ::stat(elsewhere.c_str(), &there) != 0 ||
      here.st_dev == there.st_dev) {
    GTEST_SKIP() << "needs two file systems";
  }
  const fs::path run = elsewhere / folder_.path().filename();
  {
    const auto view = Must(FolderView::Make(run, files_, *store_.blobs));
    EXPECT_EQ(Must(ReadFile(view->path() / "b/c/d.bin", 10)), "2");
  }
  EXPECT_TRUE(fs::is_empty(run));
  Must(RemoveTree(run));
}

TEST_F(FolderViewTest, GoesWithTheObjectAndLeavesTheBlobs) {
  Must(FolderView::Make(run_, files_, *store_.blobs)).reset();
  EXPECT_TRUE(fs::is_empty(run_));
  for (const ModelFile& file : files_) Must(store_.blobs->Verify(*Digest::Parse(file.digest)));
}

TEST_F(FolderViewTest, LeavesNothingWhenABlobIsMissing) {
  files_.push_back({.path = "z", .digest = Digest::OfText("elsewhere").text()});
  EXPECT_THAT(FolderView::Make(run_, files_, *store_.blobs),
              FailsWith(Code::kNotFound, "Blob.NotFound"));
  EXPECT_TRUE(fs::is_empty(run_));
}

TEST_F(FolderViewTest, OpenRemovesThoseOfTheDeadOnly) {
  const auto mine = Must(FolderView::Make(run_, files_, *store_.blobs));
  const int status = RunInChild([&] {
    Must(FolderView::Make(run_, files_, *store_.blobs)).release();
    return 0;
  });
  EXPECT_EQ(status, 0);
  fs::create_directory(run_ / "not-a-view");
  EXPECT_EQ(std::distance(fs::directory_iterator(run_), {}), 3);
  Must(Registry::Open(*store_.database, *store_.blobs, store_.clock));
  EXPECT_EQ(std::distance(fs::directory_iterator(run_), {}), 2);
  EXPECT_TRUE(fs::exists(mine->path() / "a.bin"));
}

}  // namespace
}  // namespace slipway::registry::testing
