// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/packed_weights.h"

#include <gtest/gtest.h>

#include "runtime/graph/graph.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

Tensor Numbers(float first) {
  return Tensor::FromVector(DType::kFloat32, {3}, std::vector<float>{first, 2, 3});
}

struct Packer {
  PackedWeights weights;
  int packed = 0;
  const void* Pack(const Tensor& source, const std::string& layout, int user,
                   std::vector<Tensor>& kept) {
    static constexpr int kUsers[4] = {};
    auto made = weights.Get(source, layout, kUsers + user, [&]() -> Result<Tensor> {
      ++packed;
      return source.Clone();
    });
    EXPECT_TRUE(made);
    kept.push_back(*made);
    return made->raw();
  }
};

TEST(PackedWeights, AreMadeOnceForASourceAndLayout) {
  Packer packer;
  std::vector<Tensor> kept;
  const Tensor source = Numbers(1);
  const void* const first = packer.Pack(source, "a", 0, kept);
  EXPECT_EQ(packer.Pack(source, "a", 0, kept), first);
  EXPECT_EQ(packer.Pack(source, "a", 1, kept), first);
  EXPECT_EQ(packer.packed, 1);
  EXPECT_NE(packer.Pack(source, "b", 1, kept), first);
  EXPECT_NE(packer.Pack(Numbers(4), "a", 1, kept), first);
  EXPECT_EQ(packer.packed, 3);
  EXPECT_EQ(packer.weights.bytes(), 3 * 12);
}

TEST(PackedWeights, EqualOnesOfOthersAreTaken) {
  Packer packer;
  std::vector<Tensor> first, second;
  const void* const one = packer.Pack(Numbers(1), "a", 0, first);
  EXPECT_EQ(packer.Pack(Numbers(1), "a", 1, second), one);
  EXPECT_NE(packer.Pack(Numbers(1), "b", 1, second), one);
  EXPECT_NE(packer.Pack(Numbers(2), "a", 1, second), one);
  EXPECT_EQ(packer.weights.bytes(), 3 * 12);
  first.clear();
  EXPECT_EQ(packer.weights.bytes(), 3 * 12);
  second.clear();
  EXPECT_EQ(packer.weights.bytes(), 0);
  EXPECT_NE(packer.Pack(Numbers(1), "a", 0, first), nullptr);
  EXPECT_EQ(packer.packed, 5);
}

/// Weights that kernels pack, some of them after a pass has changed them.
Model Network(bool open) {
  tiny::Net net(1);
  std::string v = net.Convolve("x", {.in = 16, .out = 64});
  v = net.Add("Relu", {net.Normalise(net.Convolve(v, {.in = 64, .out = 64}), 64)});
  const std::string bytes = net.Model({net.Convolve(v, {.in = 64, .out = 48})}, 20,
                                      open ? tiny::Ints{} : tiny::Ints{1, 16, 20, 20});
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

class SharedWeights : public ::testing::TestWithParam<bool> {};

TEST_P(SharedWeights, CountOnceAndGoWithTheLastSession) {
  const Model model = Network(GetParam());
  const PackedWeights& packed = *model.graph()->packed;
  const Feeds feeds = {{"x", Random({1, 16, 20, 20}, 3)}};
  auto first = MakeSession(model);
  const auto answer = first->Run(feeds);
  ASSERT_TRUE(answer);
  const std::int64_t bytes = packed.bytes();
  const std::int64_t alone = first->MemoryBytes();
  EXPECT_GT(bytes, 64 * 64 * 9 * 4);
  auto second = MakeSession(model);
  const auto again = second->Run(feeds);
  ASSERT_TRUE(again);
  EXPECT_EQ(FloatsOf((*again)[0]), FloatsOf((*answer)[0]));
  EXPECT_EQ(packed.bytes(), bytes);
  EXPECT_EQ(second->MemoryBytes(), alone - bytes);
  first.reset();
  EXPECT_EQ(packed.bytes(), bytes);
  const auto third = second->Run(feeds);
  ASSERT_TRUE(third);
  EXPECT_EQ(FloatsOf((*third)[0]), FloatsOf((*answer)[0]));
  second.reset();
  EXPECT_EQ(packed.bytes(), 0);
}

INSTANTIATE_TEST_SUITE_P(OpenAndFixed, SharedWeights, ::testing::Bool());

}  // namespace
}  // namespace slipway::runtime
