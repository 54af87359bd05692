// SPDX-License-Identifier: Apache-2.0
/// Limits of what a session makes before a node runs: kernels, and what they keep.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/runtime/model_files.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

TEST(MemoryLimit, HoldsForWhatIsMadeBeforeARun) {
  // Every tree is one leaf.
  constexpr std::size_t kTrees = 20'000;
  tiny::Ints trees(kTrees);
  std::iota(trees.begin(), trees.end(), 0);
  const tiny::Ints zeros(kTrees);
  const tiny::Floats weights(kTrees, 0.5F);
  const std::string bytes =
      tiny::ModelOf(tiny::GraphOf({{"TreeEnsembleRegressor",
                                    {"a"},
                                    {"y"},
                                    {{"nodes_treeids", trees},
                                     {"nodes_nodeids", zeros},
                                     {"nodes_featureids", zeros},
                                     {"nodes_values", weights},
                                     {"nodes_modes", tiny::Texts(kTrees, "LEAF")},
                                     {"nodes_truenodeids", zeros},
                                     {"nodes_falsenodeids", zeros},
                                     {"target_treeids", trees},
                                     {"target_nodeids", zeros},
                                     {"target_ids", zeros},
                                     {"target_weights", weights},
                                     {"n_targets", std::int64_t{1}}},
                                    "ai.onnx.ml"}},
                                  {{"a"}}, {{"y"}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  const Feeds feeds{{"a", Floats({1, 1}, {0})}};
  const auto session = MakeSession(*model, {.limits = {.memory_bytes = kMiB / 16}});
  for (int i = 0; i < 2; ++i) {
    const auto run = session->Run(feeds);
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().id, "Run.MemoryLimit") << run.error().message;
  }
  EXPECT_EQ(session->MemoryBytes(), 0);
  EXPECT_FALSE(session->Explain(feeds));
  EXPECT_TRUE(MakeSession(*model, {.limits = {.memory_bytes = 64 * kMiB}})->Run(feeds));
}

TEST(MemoryLimit, HoldsForListsOfIntegers) {
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(
      {{"EmbedLayerNormalization",
        {"ids", "", "words", "places", "", "gamma", "beta", "", "at"},
        {"y", "m"},
        {},
        "com.microsoft"}},
      {{"ids", DType::kInt32}, {"words"}, {"places"}, {"gamma"}, {"beta"}, {"at", DType::kInt32}},
      {{"y"}, {"m", DType::kInt32}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  const Value ids(Tensor::FromVector(DType::kInt32, {1, kMiB}, std::vector<std::int32_t>(kMiB)));
  const Feeds feeds = {{"ids", ids},
                       {"words", Floats({1, 1}, {2})},
                       {"places", Floats({1, 1}, {3})},
                       {"gamma", Floats({1}, {1})},
                       {"beta", Floats({1}, {5})},
                       {"at", ids}};
  // Room for the output, and for half of the list.
  const auto refused = MakeSession(*model, {.limits = {.memory_bytes = 8 * kMiB}})->Run(feeds);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Run.MemoryLimit") << refused.error().message;
  const auto run = MakeSession(*model, {.limits = {.memory_bytes = 64 * kMiB}})->Run(feeds);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ((*run)[0].tensor()->data<float>().back(), 5);
}

}  // namespace
}  // namespace slipway::runtime
