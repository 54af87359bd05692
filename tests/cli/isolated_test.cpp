// SPDX-License-Identifier: Apache-2.0
#include "cli/isolated.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

namespace slipway::cli {
namespace {

struct Told {
  std::size_t index;
  std::string text, error_id;
};

std::vector<Told> RunAll(std::size_t count, const IsolatedOptions& options,
                         const std::function<std::string(std::size_t)>& work) {
  std::vector<Told> told;
  const auto done = [&](std::size_t i, const Result<std::string>& text) -> Result<void> {
    told.push_back({i, text ? *text : "", text ? "" : text.error().id});
    return {};
  };
  EXPECT_TRUE(RunIsolated(count, options, work, done));
  return told;
}

TEST(IsolatedTest, ReportsInOrderWhateverEndsFirst) {
  const auto told = RunAll(6, {.jobs = 3}, [](std::size_t i) {
    ::usleep(static_cast<useconds_t>((6 - i) * 5000));
    return std::string(100'000, static_cast<char>('a' + i));
  });
  ASSERT_EQ(told.size(), 6U);
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].index, i);
    EXPECT_EQ(told[i].text, std::string(100'000, static_cast<char>('a' + i)));
  }
}

TEST(IsolatedTest, CrashCostsItsPieceAlone) {
  const auto told = RunAll(3, {.jobs = 1}, [](std::size_t i) {
    if (i == 1) ::raise(SIGKILL);
    return "fine " + std::to_string(i);
  });
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].text, "fine 0");
  EXPECT_EQ(told[1].error_id, "Process.Crashed");
  EXPECT_EQ(told[2].text, "fine 2");
}

TEST(IsolatedTest, WhatTakesTooLongIsKilled) {
  const auto told =
      RunAll(2, {.jobs = 2, .timeout = std::chrono::milliseconds(300)}, [](std::size_t i) {
        if (i == 0) ::sleep(60);
        return std::string("ended");
      });
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].error_id, "Process.TimedOut");
  EXPECT_EQ(told[1].text, "ended");
}

TEST(IsolatedTest, AnErrorOfDoneEndsIt) {
  int told = 0;
  const auto done = [&](std::size_t, const Result<std::string>&) -> Result<void> {
    ++told;
    return Error{.code = Code::kResourceExhausted, .message = "disk full"};
  };
  const auto ran = RunIsolated(
      50, {.jobs = 1}, [](std::size_t) { return std::string(); }, done);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message, "disk full");
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace slipway::cli
