// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's way on blocks of channels, and however they are cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/kernels/blocked.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using tiny::Net;

std::vector<float> Answer(const Model& model, const Feeds& feeds, const SessionOptions& options) {
  const auto outputs = MakeSession(model, options)->Run(feeds);
  if (!outputs) {
    ADD_FAILURE() << outputs.error().message;
    return {};
  }
  return FloatsOf(outputs->front());
}

struct Problem {
  Shape x;
  Net::Conv first, second;
};

class WinogradTiles : public ::testing::TestWithParam<Problem> {
 protected:
  void SetUp() override {
    if (ChannelBlock() == 0) GTEST_SKIP() << "oneDNN works on rows on this processor";
  }

  /// Two convolutions, the second one with a sum.
  static Model Network(const Problem& p) {
    Net net(1);
    const std::string v = net.Add("Relu", {net.Convolve("x", p.first)});
    return ParseModel(
        net.Model({net.Add("Relu", {net.Add("Add", {net.Convolve(v, p.second), v})})}));
  }
};

TEST_P(WinogradTiles, GivesTheSumsOnBlocks) {
  const Problem& p = GetParam();
  const Model model = Network(p);
  const Feeds feeds = {{"x", Random(p.x, 2)}};
  const auto text = MakeSession(model)->Explain(feeds);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr(" conv_blocked_winograd -> "));
  const Ran sums = RunWith(model, feeds, {.choice = {.strict = true}});
  const Ran tiles = RunWith(model, feeds, {});
  EXPECT_EQ(tiles.changes.at("choose_winograd"), 2);
  ExpectNear(sums.outputs, tiles.outputs, 3e-5F);
}

TEST_P(WinogradTiles, GivesTheSameBitsHoweverItIsCut) {
  const Problem& p = GetParam();
  const Model model = Network(p);
  const Value x = Random(p.x, 3);
  const std::vector<float> alone = Answer(model, {{"x", x}}, {.threads = 1});
  for (const int threads : {2, 3, 5}) {
    EXPECT_EQ(Answer(model, {{"x", x}}, {.threads = threads}), alone) << threads;
  }
  const std::vector<float> numbers = FloatsOf(x);
  std::vector<float> twice = numbers;
  twice.insert(twice.end(), numbers.begin(), numbers.end());
  Shape batch = p.x;
  batch[0] *= 2;
  std::vector<float> expected = alone;
  expected.insert(expected.end(), alone.begin(), alone.end());
  EXPECT_EQ(Answer(model, {{"x", Floats(batch, twice)}}, {.threads = 2}), expected);
}

TEST_P(WinogradTiles, IsTheSameInVectorsOfEverySize) {
  const Problem& p = GetParam();
  const Model model = Network(p);
  const Feeds feeds = {{"x", Random(p.x, 4)}};
  const Ran sums = RunWith(model, feeds, {.choice = {.strict = true}});
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const slipway::test::OnlyTarget only(target);
    ExpectNear(sums.outputs, RunWith(model, feeds, {}).outputs, 3e-5F);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Problems, WinogradTiles,
    ::testing::Values(Problem{{1, 32, 14, 15}, {.in = 32, .out = 64}, {.in = 64, .out = 64}},
                      Problem{{1, 16, 57, 31}, {.in = 16, .out = 48}, {.in = 48, .out = 48}},
                      Problem{{1, 8, 14, 14},
                              {.in = 8, .out = 32, .kernel = 5, .pad = 2},
                              {.in = 32, .out = 32, .kernel = 5, .pad = 2}},
                      Problem{{1, 32, 13, 12},
                              {.in = 32, .out = 64, .group = 2},
                              {.in = 64, .out = 64, .group = 2}}));

}  // namespace
}  // namespace slipway::runtime
