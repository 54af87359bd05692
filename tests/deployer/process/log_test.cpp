// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/log.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

class ProcessLogTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { ASSERT_TRUE(WriteFileAtomic(file_, text)); }
  std::string Tail(std::int64_t lines) { return *TailLog(file_, lines); }
  testing::TempDir folder_;
  std::filesystem::path file_ = folder_ / "a.log";
};

TEST_F(ProcessLogTest, TailsByLines) {
  Write("one\ntwo\nthree\n");
  EXPECT_EQ(Tail(0), "");
  EXPECT_EQ(Tail(1), "three\n");
  EXPECT_EQ(Tail(2), "two\nthree\n");
  EXPECT_EQ(Tail(3), "one\ntwo\nthree\n");
  EXPECT_EQ(Tail(99), "one\ntwo\nthree\n");
}

TEST_F(ProcessLogTest, ALineWithoutEndCounts) {
  Write("one\ntwo");
  EXPECT_EQ(Tail(1), "two");
  EXPECT_EQ(Tail(2), "one\ntwo");
}

TEST_F(ProcessLogTest, EmptyLinesCount) {
  Write("\n\na\n\n");
  EXPECT_EQ(Tail(1), "\n");
  EXPECT_EQ(Tail(2), "a\n\n");
  EXPECT_EQ(Tail(4), "\n\na\n\n");
}

TEST_F(ProcessLogTest, MissingFileIsEmpty) {
  EXPECT_EQ(Tail(5), "");
  EXPECT_EQ(LastLogLine(file_), "");
}

TEST_F(ProcessLogTest, LastLineSkipsEmptyOnesAndIsBounded) {
  Write("first\nlast words \n\n  \n");
  EXPECT_EQ(LastLogLine(file_), "last words");
  EXPECT_EQ(LastLogLine(file_, 4), "last");
}

TEST_F(ProcessLogTest, RotatesAndTailGoesOnInTheOldFile) {
  Write("one\ntwo\n");
  ASSERT_TRUE(RotateLog(file_, 8));
  EXPECT_EQ(Tail(9), "one\ntwo\n");
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".1"));
  ASSERT_TRUE(RotateLog(file_, 7));
  EXPECT_EQ(std::filesystem::file_size(file_), 0U);
  Write("three\n");
  EXPECT_EQ(Tail(2), "two\nthree\n");
  EXPECT_EQ(Tail(9), "ne\ntwo\nthree\n");
  EXPECT_EQ(Tail(1), "three\n");
}

}  // namespace
}  // namespace slipway::deployer
