// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/file_state.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

using testing::BlobFixture;

TEST(FileState, ASettledOneTellsEveryLaterWrite) {
  BlobFixture place;
  const std::filesystem::path file = place.Write("file", "content");
  const auto before = SettledState(file);
  ASSERT_TRUE(before.has_value() && before->has_value());
  EXPECT_TRUE(IsSettled(**before));
  EXPECT_TRUE(StateOf(file).has_value() && *StateOf(file) == **before);
  place.Write("file", "content");
  const auto written_again = SettledState(file);
  ASSERT_TRUE(written_again.has_value() && written_again->has_value());
  EXPECT_FALSE(**written_again == **before);
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const auto changed = StateOf(file);
  ASSERT_TRUE(changed.has_value());
  EXPECT_FALSE(*changed == **written_again);
}

TEST(FileState, NamesAFileThatIsNotThere) {
  BlobFixture place;
  const auto state = SettledState(place / "nowhere");
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace slipway::imagebuilder
