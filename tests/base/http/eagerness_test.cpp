// SPDX-License-Identifier: Apache-2.0
#include "base/http/eagerness.h"

#include <gtest/gtest.h>

namespace slipway::http {
namespace {

using std::chrono::microseconds;

/// Requests at made-up times, each answered in 20 microseconds.
class EagernessTest : public ::testing::Test {
 protected:
  void Answer(microseconds after) {
    now_ += after;
    eagerness_.Begin(now_);
    now_ += microseconds(20);
    eagerness_.End(now_);
  }
  void AnswerUntilItWants(int most = 2 * Eagerness::kMost) {
    answers_ = 0;
    while (!eagerness_.wants() && answers_ < most) {
      Answer(microseconds(40));
      ++answers_;
    }
  }
  /// Looks every two microseconds, in vain, and says how long.
  microseconds LookInVain() {
    const auto began = now_;
    for (bool on = true; on && now_ - began < std::chrono::seconds(1);) {
      const auto before = now_;
      now_ += microseconds(2);
      on = eagerness_.LookOn(before, now_);
    }
    return std::chrono::duration_cast<microseconds>(now_ - began);
  }

  Eagerness eagerness_;
  Eagerness::Time now_ = Eagerness::Time(std::chrono::hours(1));
  int answers_ = 0;
};

TEST_F(EagernessTest, LooksWhereRequestsFollowEachOther) {
  EXPECT_FALSE(eagerness_.wants());
  AnswerUntilItWants();
  EXPECT_GE(answers_, Eagerness::kFewest);
  EXPECT_LE(answers_, Eagerness::kFewest + 1);
}

TEST_F(EagernessTest, NeverLooksWhereRequestsAreFarApart) {
  for (int i = 0; i < 1000; ++i) {
    Answer(microseconds(150));
    EXPECT_FALSE(eagerness_.wants());
  }
}

TEST_F(EagernessTest, ALookEnds) {
  AnswerUntilItWants();
  EXPECT_LE(LookInVain(), Eagerness::kClose + microseconds(2));
  EXPECT_FALSE(eagerness_.wants());
}

TEST_F(EagernessTest, LooksInVainBecomeRare) {
  int all = 0, before = 0;
  for (int i = 0; i < 12; ++i) {
    AnswerUntilItWants();
    ASSERT_TRUE(eagerness_.wants());
    EXPECT_GE(answers_, before);
    before = answers_;
    all += answers_;
    LookInVain();
  }
  EXPECT_GE(before, Eagerness::kMost);
  EXPECT_LE(before, Eagerness::kMost + 1);
  EXPECT_GT(all, 3 * Eagerness::kMost);
}

TEST_F(EagernessTest, WhatHelpsIsDoneAgain) {
  for (int i = 0; i < 4; ++i) {
    AnswerUntilItWants();
    LookInVain();
  }
  AnswerUntilItWants();
  const int rare = answers_;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(eagerness_.LookOn(now_, now_ + microseconds(3)));
    Answer(microseconds(5));
  }
  LookInVain();
  AnswerUntilItWants();
  EXPECT_LT(answers_, rare);
}

TEST_F(EagernessTest, WhoIsKeptFromTheCoreStopsForLong) {
  AnswerUntilItWants();
  EXPECT_FALSE(eagerness_.LookOn(now_, now_ + microseconds(40)));
  AnswerUntilItWants();
  EXPECT_EQ(answers_, Eagerness::kMost);
}

}  // namespace
}  // namespace slipway::http
