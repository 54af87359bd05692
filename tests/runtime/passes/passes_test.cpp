// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/pass.h"
#include "tests/runtime/model_files.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> PassNames() {
  std::vector<std::string> names;
  for (const auto& unit : passes_table()) names.emplace_back(unit.name);
  return names;
}

TEST(Passes, EachHasAStageAndASummary) {
  for (const auto& unit : passes_table()) {
    const Pass pass = unit.make();
    EXPECT_NE(pass.run, nullptr);
    EXPECT_FALSE(pass.summary.empty());
    EXPECT_EQ(pass.per_plan, pass.stage >= 100) << unit.name;
  }
}

/// Passes that change nothing in these networks.
const std::set<std::string> kTestedElsewhere = {
    "block_layouts",      "choose_winograd",      "fold_constants",
    "fuse_attention",     "fuse_batchnorm_scale", "fuse_channel_shuffle",
    "fuse_conv_pad",      "fuse_conv_scale",      "fuse_gelu",
    "fuse_layer_norm",    "fuse_matmul",          "fuse_swish",
    "join_quantized",     "products_bf16",        "products_int8",
    "spell_einsum",       "spread_scans",         "take_known_branches",
    "tabulate_quantized", "widen_halves"};

class OnAndOff : public ::testing::TestWithParam<std::string> {};

TEST_P(OnAndOff, AgreeOnResidualNetworks) {
  const Model model = LoadModel("residual");
  std::uint32_t seed = 0;
  for (const Shape& shape : {Shape{1, 3, 4, 4}, Shape{2, 3, 5, 7}, Shape{1, 3, 1, 1},
                             Shape{3, 3, 9, 2}, Shape{1, 3, 17, 16}}) {
    const Feeds feeds = {{"x", Random(shape, ++seed)}};
    const auto without = RunWith(model, feeds, {.enabled = false});
    const auto all = RunWith(model, feeds, {});
    const auto others = RunWith(model, feeds, {.without = {GetParam()}});
    ExpectNear(without.outputs, all.outputs);
    ExpectNear(without.outputs, others.outputs);
    EXPECT_GT(all.changes.at(GetParam()), kTestedElsewhere.contains(GetParam()) ? -1 : 0);
    EXPECT_FALSE(others.changes.contains(GetParam()));
  }
}

TEST_P(OnAndOff, AgreeWhereSumsBroadcast) {
  const Model model = LoadModel("broadcast_add");
  const Feeds feeds = {{"x", Random({2, 2, 3, 4}, 5)}, {"e", Random({2, 3, 1, 1}, 6)}};
  const auto without = RunWith(model, feeds, {.enabled = false});
  ExpectNear(without.outputs, RunWith(model, feeds, {}).outputs);
  ExpectNear(without.outputs, RunWith(model, feeds, {.without = {GetParam()}}).outputs);
}

INSTANTIATE_TEST_SUITE_P(Passes, OnAndOff, ::testing::ValuesIn(PassNames()),
                         [](const auto& test) { return test.param; });

TEST(Passes, BroadcastSumsAreNoResidualUnlessTheShapesAgree) {
  const Model model = LoadModel("broadcast_add");
  const auto broadcast =
      RunWith(model, {{"x", Random({2, 2, 3, 4}, 5)}, {"e", Random({2, 3, 1, 1}, 6)}}, {});
  EXPECT_EQ(broadcast.changes.at("fuse_conv_add"), 0);
  const auto same =
      RunWith(model, {{"x", Random({2, 2, 1, 1}, 5)}, {"e", Random({2, 3, 1, 1}, 6)}}, {});
  EXPECT_EQ(same.changes.at("fuse_conv_add"), 1);
}

TEST(Passes, ResidualNetworkBecomesFourConvolutions) {
  const Model model = LoadModel("residual");
  auto session = MakeSession(model);
  const auto text = session->Explain({{"x", Random({1, 3, 4, 4}, 1)}});
  ASSERT_TRUE(text);
  for (const char* gone : {"BatchNormalization '", "Relu '", "Add '", "Clip '", "LeakyRelu '",
                           "Identity '", "Dropout '"}) {
    EXPECT_EQ(text->find(gone), std::string::npos) << gone << "\n" << *text;
  }
  EXPECT_THAT(*text, HasSubstr("Sigmoid '"));
}

TEST(Passes, ConstantsReachSubgraphs) {
  const auto outputs = RunModel("nested", {{"c", Bool(false)}, {"x", Floats({1}, {2})}});
  EXPECT_EQ(FloatsOf(outputs[0]), (std::vector<float>{7}));
}

}  // namespace
}  // namespace slipway::runtime
