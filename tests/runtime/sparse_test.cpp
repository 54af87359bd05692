// SPDX-License-Identifier: Apache-2.0
/// Sparse tensors in a model: dense once it is read.
#include <gtest/gtest.h>

#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

TEST(Sparse, ConstantsAndInitializersAreAddedAsTheyStand) {
  for (const bool passes : {true, false}) {
    const auto outputs =
        RunModel("sparse", {{"x", Floats({2, 3}, {0, 0, 0, 100, 0, 0})}}, {.passes = passes});
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(FloatsOf(outputs[0]), (std::vector<float>{10, 1, 0, 100, 0, 22}));
  }
}

}  // namespace
}  // namespace slipway::runtime
