// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/restart_policy.h"

#include <gtest/gtest.h>

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

TEST(RestartPolicyTest, DoublesUpToThirtySeconds) {
  RestartPolicy policy;
  milliseconds wanted{100};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(policy.Exited(milliseconds(5)), wanted) << i;
    wanted = std::min(wanted * 2, milliseconds(30'000));
  }
}

TEST(RestartPolicyTest, LoopsAfterFiveQuickExits) {
  RestartPolicy policy;
  for (int i = 0; i < 4; ++i) policy.Exited(milliseconds(59'999));
  EXPECT_FALSE(policy.looping());
  policy.Exited(milliseconds(0));
  EXPECT_TRUE(policy.looping());
}

TEST(RestartPolicyTest, ALongRunCountsAsWellAgain) {
  RestartPolicy policy;
  for (int i = 0; i < 9; ++i) policy.Exited(milliseconds(0));
  EXPECT_EQ(policy.Exited(milliseconds(60'000)), milliseconds(100));
  EXPECT_FALSE(policy.looping());
  EXPECT_EQ(policy.Exited(milliseconds(1)), milliseconds(200));
}

TEST(RestartPolicyTest, ResetForgets) {
  RestartPolicy policy;
  for (int i = 0; i < 9; ++i) policy.Exited(milliseconds(0));
  policy.Reset();
  EXPECT_FALSE(policy.looping());
  EXPECT_EQ(policy.Exited(milliseconds(1)), milliseconds(100));
}

}  // namespace
}  // namespace slipway::deployer
