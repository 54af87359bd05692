// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

const std::string kX = "RotaryEmbedding opset=23 x=f32[2,1,2,2]{1,2,3,4,5,6,7,8} ";

TEST(RotaryEmbedding, TakesTheCachesOfOneSampleForAll) {
  const auto shared = RunOpLine(kX + "c=f32[1,2,1]{0.6,0.8} s=f32[1,2,1]{0.8,0.6}");
  ASSERT_TRUE(shared) << shared.error().message;
  const auto each = RunOpLine(kX + "c=f32[2,2,1]{0.6,0.8,0.6,0.8} s=f32[2,2,1]{0.8,0.6,0.8,0.6}");
  ASSERT_TRUE(each) << each.error().message;
  EXPECT_TRUE(std::ranges::equal(shared->front().tensor()->data<float>(),
                                 each->front().tensor()->data<float>()));
}

TEST(RotaryEmbedding, RefusesCachesOfAnotherNumberOfSamples) {
  const auto run = RunOpLine(kX + "c=f32[3,2,1] s=f32[3,2,1]");
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().message,
            "caches of [3,2,1] and [3,2,1] do not rotate 2 numbers of an input of [2,1,2,2]");
}

}  // namespace
}  // namespace slipway::test
