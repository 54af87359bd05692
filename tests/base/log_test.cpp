// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/text.h"

namespace slipway::log {
namespace {

using ::testing::EndsWith;

template <class Body>
std::string Captured(Body body) {
  ::testing::internal::CaptureStderr();
  body();
  return ::testing::internal::GetCapturedStderr();
}

TEST(LogTest, OneLineWithTimeLevelMessageAndFields) {
  const std::string line = Captured([] {
    Info("model registered", {{"name", "mnist"}, {"version", 3}, {"ok", "two words"}});
  });
  EXPECT_THAT(line, EndsWith(" INFO model registered name=mnist version=3 ok=\"two words\"\n"));
  EXPECT_TRUE(ParseTime(line.substr(0, line.find(' '))));
}

TEST(LogTest, NothingBreaksTheLine) {
  const std::string line = Captured([] {
    Warn("a\nb\x1b", {{"x", "1\r\n2\t\"\\"}, {"bad", "\xff"}, {"empty", ""}, {"utf", "\xc3\xa9"}});
  });
  EXPECT_THAT(line, EndsWith(" WARN a\\nb\\x1b x=\"1\\r\\n2\\t\\\"\\\\\" bad=\"\\xff\" empty=\"\" "
                             "utf=\xc3\xa9\n"));
}

TEST(LogTest, LinesBelowTheLevelAreDropped) {
  EXPECT_EQ(Captured([] { Debug("hidden"); }), "");
  SetLevel(Level::kDebug);
  EXPECT_THAT(Captured([] { Debug("shown"); }), EndsWith(" DEBUG shown\n"));
  SetLevel(Level::kError);
  EXPECT_EQ(Captured([] { Warn("hidden"); }), "");
  EXPECT_THAT(Captured([] { Failure("shown"); }), EndsWith(" ERROR shown\n"));
  SetLevel(Level::kInfo);
}

TEST(LogTest, LinesOfThreadsDoNotMix) {
  const std::string text = Captured([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) Info("line", {{"text", std::string(200, 'x')}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  const std::vector<std::string> lines = Split(text, '\n');
  ASSERT_EQ(lines.size(), 401);
  for (std::size_t i = 0; i < 400; ++i) {
    EXPECT_THAT(lines[i], EndsWith(" INFO line text=" + std::string(200, 'x')));
  }
}

}  // namespace
}  // namespace slipway::log
