// SPDX-License-Identifier: Apache-2.0
#include "base/temporary_file.h"

#include <gtest/gtest.h>

#include <set>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

std::set<std::string> NamesIn(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(TemporaryFiles, AloneAreRemoved) {
  const testing::TempDir folder;
  for (const char* name : {".tmp-00ff00ff", ".tmp-", "a.json", ".tmpx", "x.tmp-1", ".hidden"}) {
    ASSERT_TRUE(WriteFileAtomic(folder / name, "x"));
  }
  fs::create_directory(folder / ".tmp-folder");
  fs::create_symlink("a.json", folder / ".tmp-link");
  ASSERT_TRUE(RemoveTemporaryFiles(folder.path()));
  EXPECT_EQ(NamesIn(folder.path()), (std::set<std::string>{"a.json", ".tmpx", "x.tmp-1", ".hidden",
                                                           ".tmp-folder", ".tmp-link"}));
}

TEST(TemporaryFiles, AFolderThatIsNotThereIsNoError) {
  const testing::TempDir folder;
  EXPECT_TRUE(RemoveTemporaryFiles(folder / "none"));
  ASSERT_TRUE(WriteFileAtomic(folder / "file", "x"));
  EXPECT_FALSE(RemoveTemporaryFiles(folder / "file"));
}

}  // namespace
}  // namespace slipway
