// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/kernels/blocked.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tiny::Net;

/// Runs without passes, with all but this one, and with all: the answers agree.
Ran ExpectSameAnswers(const Model& model, const Feeds& feeds, float error = 2e-5F,
                      const KernelChoice& choice = {}) {
  const Ran plain = RunWith(model, feeds, {.enabled = false});
  const Ran others = RunWith(model, feeds, {.without = {"block_layouts"}, .choice = choice});
  Ran all = RunWith(model, feeds, {.choice = choice});
  ExpectNear(plain.outputs, others.outputs, error);
  ExpectNear(plain.outputs, all.outputs, error);
  EXPECT_FALSE(others.changes.contains("block_layouts"));
  return all;
}

std::string Explained(const Model& model, const Feeds& feeds) {
  auto text = MakeSession(model)->Explain(feeds);
  if (!text) ADD_FAILURE() << text.error().message;
  return text ? *text : "";
}

class BlockLayouts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (ChannelBlock() == 0) GTEST_SKIP() << "oneDNN works on rows on this processor";
  }
};

std::size_t CountOf(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(BlockLayouts, ChangeAtTheBordersOfARegionAlone) {
  Net net(1);
  std::string v = net.Add("Relu", {net.Convolve("x", {.in = 32, .out = 32})});
  v = net.Add("MaxPool", {v}, {{"kernel_shape", tiny::Ints{2, 2}}});
  const std::string branch = net.Convolve(v, {.in = 32, .out = 32});
  v = net.Add("Relu", {net.Add("Add", {branch, v})});
  v = net.Convolve(v, {.in = 32, .out = 48, .kernel = 1, .pad = 0});
  const Model model = ParseModel(net.Model({v}));
  const Feeds feeds = {{"x", Random({1, 32, 13, 11}, 1)}};
  const Ran ran = ExpectSameAnswers(model, feeds);
  EXPECT_EQ(ran.changes.at("block_layouts"), 4);
  const std::string text = Explained(model, feeds);
  EXPECT_EQ(CountOf(text, "reorder_turned"), 2U) << text;
  EXPECT_EQ(CountOf(text, " conv_blocked_dnnl -> ") + CountOf(text, " conv_blocked_winograd -> "),
            3U)
      << text;
}

/// Random numbers, some of which are none.
Value WithNaN(const Shape& shape) {
  const Value numbers = Random(shape, 5);
  const auto given = numbers.tensor()->data<float>();
  std::vector<float> elements(given.begin(), given.end());
  for (std::size_t i = 0; i < elements.size(); i += 1009) {
    elements[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return Floats(shape, std::move(elements));
}

TEST_F(BlockLayouts, KeepWhatIsNoNumberInPoolsWhereOthersDo) {
  for (const std::int64_t kernel : {2, 3, 5}) {
    for (const std::int64_t stride : {1, 2}) {
      SCOPED_TRACE(std::to_string(kernel) + " by " + std::to_string(stride));
      const std::int64_t pad = (kernel - 1) / 2;
      Net net(7);
      std::string v = net.Convolve("x", {.in = 32, .out = 32, .kernel = 1, .pad = 0});
      v = net.Add("MaxPool", {v},
                  {{"kernel_shape", tiny::Ints{kernel, kernel}},
                   {"strides", tiny::Ints{stride, stride}},
                   {"pads", tiny::Ints(4, pad)}});
      v = net.Convolve(v, {.in = 32, .out = 32, .kernel = 1, .pad = 0});
      v = net.Add("Where", {net.Add("IsNaN", {v}), net.Weights({1}, 50, 60), v});
      const Model model = ParseModel(net.Model({v}));
      const Feeds feeds = {{"x", WithNaN({1, 32, 30, 41})}};
      ExpectSameAnswers(model, feeds);
      EXPECT_THAT(Explained(model, feeds), HasSubstr("pool_blocked_rows"));
    }
  }
}

TEST_F(BlockLayouts, LeaveAConvolutionAloneAsItIs) {
  Net net(2);
  const Model model = ParseModel(net.Model({net.Convolve("x", {.in = 32, .out = 32})}));
  const Feeds feeds = {{"x", Random({1, 32, 12, 10}, 1)}};
  EXPECT_EQ(ExpectSameAnswers(model, feeds).changes.at("block_layouts"), 0);
}

TEST_F(BlockLayouts, FirstLayersReadTheImageAsItIs) {
  Net net(3);
  std::string v = net.Convolve("x", {.in = 3, .out = 32, .kernel = 7, .stride = 2, .pad = 3});
  v = net.Convolve(net.Add("Relu", {v}), {.in = 32, .out = 32});
  const Model model = ParseModel(net.Model({v}));
  const Feeds feeds = {{"x", Random({1, 3, 40, 30}, 1)}};
  ExpectSameAnswers(model, feeds);
  EXPECT_THAT(Explained(model, feeds), Not(HasSubstr("ToBlocks")));
}

/// Sigmoid is not zero at zero: what lies beyond the channels must not reach other channels.
TEST_F(BlockLayouts, ChannelsThatDoNotFillABlock) {
  for (const std::int64_t channels : {3, 5, 17, 24, 31}) {
    Net net(static_cast<std::uint32_t>(channels));
    std::string v = net.Convolve("x", {.in = 3, .out = channels});
    v = net.Add("Sigmoid", {v});
    v = net.Add("Mul", {v, net.Weights({1, channels, 1, 1}, -2, 2)});
    v = net.Add("Add", {v, net.Weights({channels, 1, 1}, -2, 2)});
    v = net.Convolve(v,
                     {.in = channels, .out = channels, .kernel = 7, .pad = 3, .group = channels});
    v = net.Convolve(v, {.in = channels, .out = 20, .kernel = 1, .pad = 0});
    const Model model = ParseModel(net.Model({v}));
    const Feeds feeds = {{"x", Random({2, 3, 9, 11}, 4)}};
    EXPECT_GT(ExpectSameAnswers(model, feeds).changes.at("block_layouts"), 0) << channels;
  }
}

TEST_F(BlockLayouts, NoFunctionIsOpenAtZeroInAChannelThatIsNot) {
  Net net(5);
  std::string v = net.Convolve("x", {.in = 3, .out = 20});
  v = net.Add("Log", {net.Add("Softplus", {v})});
  v = net.Add("Reciprocal", {net.Add("Softsign", {v})});
  v = net.Convolve(v, {.in = 20, .out = 20});
  // Among what is next to infinite, sums alone keep small numbers.
  ExpectSameAnswers(ParseModel(net.Model({v})), {{"x", Random({1, 3, 19, 21}, 4)}}, 2e-5F,
                    {.strict = true});
}

TEST_F(BlockLayouts, InfinitiesAndNotNumbersStayInTheirPlaces) {
  Net net(6);
  std::string v = net.Convolve("x", {.in = 16, .out = 16, .kernel = 1, .pad = 0, .group = 16});
  v = net.Add("Relu", {net.Convolve(v, {.in = 16, .out = 16, .kernel = 1, .pad = 0, .group = 16})});
  v = net.Add("Clip", {net.Add("Mul", {v, v})});
  const Model model = ParseModel(net.Model({v}));
  Value x = Random({1, 16, 4, 4}, 4);
  x.tensor()->data<float>()[5] = std::numeric_limits<float>::infinity();
  x.tensor()->data<float>()[40] = std::numeric_limits<float>::quiet_NaN();
  const auto plain =
      FloatsOf(RunWith(model, {{"x", x}}, {.without = {"block_layouts"}}).outputs[0]);
  const auto blocked = FloatsOf(RunWith(model, {{"x", x}}, {}).outputs[0]);
  ASSERT_EQ(plain.size(), blocked.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(std::isfinite(plain[i]), std::isfinite(blocked[i])) << i;
  }
}

TEST_F(BlockLayouts, SqueezeAndExciteAndDenseBlocks) {
  Net net(7);
  std::string v = net.Convolve("x", {.in = 3, .out = 32});
  std::string gate = net.Add("GlobalAveragePool", {v});
  gate = net.Add("Relu", {net.Convolve(gate, {.in = 32, .out = 8, .kernel = 1, .pad = 0})});
  gate = net.Add("Sigmoid", {net.Convolve(gate, {.in = 8, .out = 32, .kernel = 1, .pad = 0})});
  const std::string gated = net.Add("Mul", {v, gate});
  v = net.Add("Concat", {v, gated}, {{"axis", std::int64_t{1}}});
  v = net.Add("Relu", {net.Normalise(v, 64)});
  v = net.Convolve(v, {.in = 64, .out = 32});
  const std::string most = net.Add("GlobalMaxPool", {v});
  const Model model = ParseModel(net.Model({v, most}));
  const Feeds feeds = {{"x", Random({3, 3, 13, 14}, 4)}};
  ExpectSameAnswers(model, feeds);
  const std::string text = Explained(model, feeds);
  EXPECT_EQ(CountOf(text, "affine_blocked"), 2U) << text;
  EXPECT_EQ(CountOf(text, "Relu '"), 0U) << text;
  EXPECT_EQ(CountOf(text, "ToBlocks"), 0U) << text;
}

/// One node of any kind that takes images, on values that are there.
void Grow(Net& net, std::vector<std::pair<std::string, std::int64_t>>& values) {
  const auto [v, channels] = values[net.Pick(values.size())];
  constexpr std::int64_t kChannels[] = {1, 3, 8, 16, 17, 24, 32, 48};
  const std::int64_t out = kChannels[net.Pick(8)];
  const auto add = [&](const std::string& name, std::int64_t count) {
    values.emplace_back(name, count);
  };
  const std::vector<std::string> functions = {"Relu",     "Sigmoid",  "Tanh", "HardSwish",
                                              "Softplus", "Softsign", "Abs",  "Elu",
                                              "Softmax",  "Identity"};
  const std::vector<std::string> combinations = {"Add", "Mul", "Sub", "Max", "Min", "Sum"};
  const std::string combination = combinations[net.Pick(combinations.size())];
  switch (net.Pick(10)) {
    case 0:
    case 1:
      return add(net.Convolve(v, {.in = channels, .out = out}), out);
    case 2:
      return add(net.Convolve(v, {.in = channels, .out = out, .kernel = 1, .pad = 0}), out);
    case 3:
      return add(net.Convolve(v, {.in = channels, .out = channels, .group = channels}), channels);
    case 4:
      return add(net.Add(functions[net.Pick(functions.size())], {v}), channels);
    case 5:
      return add(net.Normalise(v, channels), channels);
    case 6:
      return add(
          net.Add("MaxPool", {v}, {{"kernel_shape", tiny::Ints{3, 3}}, {"pads", tiny::Ints(4, 1)}}),
          channels);
    case 7:
      for (const auto& [other, count] : values) {
        if (count == channels) return add(net.Add(combination, {v, other}), channels);
      }
      return;
    case 8: {
      const auto& [other, count] = values[net.Pick(values.size())];
      if (count + channels > 96) return;
      return add(net.Add("Concat", {v, other}, {{"axis", std::int64_t{1}}}), channels + count);
    }
    default:
      return add(net.Add(combination, {v, net.Weights({1, channels, 1, 1}, -1, 1)}), channels);
  }
}

TEST_F(BlockLayouts, AgreeOnNetworksMadeAtRandom) {
  std::int64_t changed = 0;
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Net net(100 + seed);
    std::vector<std::pair<std::string, std::int64_t>> values = {{"x", 3}};
    while (values.size() < 14) Grow(net, values);
    tiny::Texts outputs = {values[5].first, values[9].first, values.back().first};
    const Model model = ParseModel(net.Model(outputs));
    const Feeds feeds = {{"x", Random({1 + seed % 2, 3, 9, 8}, seed)}};
    changed += ExpectSameAnswers(model, feeds, 1e-4F).changes.at("block_layouts");
  }
  EXPECT_GT(changed, 30);
}

TEST_F(BlockLayouts, ModelsCannotNameTheOperators) {
  const std::string graph =
      tiny::GraphOf({{"ToBlocks", {"x"}, {"y"}, {{"block", std::int64_t{16}}}, "slipway.blocks"}},
                    {{"x"}}, {{"y"}});
  std::string bytes = tiny::ModelOf(graph);
  bytes += tiny::Field(8, tiny::Field(1, "slipway.blocks") + tiny::Field(2, 1));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().id, "Model.UnsupportedOperator");
  for (const OperatorInfo& info : SupportedOperators()) EXPECT_NE(info.domain, "slipway.blocks");
}

TEST(Winograd, IsWithinItsClassAndLeftOutWhereAccuracyIsStrict) {
  Net net(8);
  std::string v = net.Add("Relu", {net.Convolve("x", {.in = 64, .out = 64})});
  v = net.Convolve(v, {.in = 64, .out = 64});
  const Model model = ParseModel(net.Model({v}));
  const Feeds feeds = {{"x", Random({1, 64, 28, 26}, 4)}};
  const Ran plain = RunWith(model, feeds, {.enabled = false});
  const Ran all = RunWith(model, feeds, {});
  const Ran strict = RunWith(model, feeds, {.choice = {.strict = true}});
  ExpectNear(plain.outputs, all.outputs, 1e-4F);
  ExpectNear(plain.outputs, strict.outputs, 5e-6F);
  EXPECT_EQ(strict.changes.at("choose_winograd"), 0);
  const auto session = MakeSession(model, {.accuracy = Accuracy::kStrict});
  const auto answers = session->Run(feeds);
  ASSERT_TRUE(answers);
  EXPECT_EQ(FloatsOf((*answers)[0]), FloatsOf(strict.outputs[0]));
  EXPECT_EQ(all.changes.at("choose_winograd"), 2);
}

TEST(Winograd, TakesNoMoreRoomThanAPartOfTheModels) {
  Net net(9);
  std::string v = net.Convolve("x", {.in = 16, .out = 128});
  for (int i = 0; i < 3; ++i) {
    v = net.Convolve(net.Add("MaxPool", {v},
                             {{"kernel_shape", tiny::Ints{2, 2}}, {"strides", tiny::Ints{2, 2}}}),
                     {.in = 128, .out = 128});
  }
  const Model model = ParseModel(net.Model({v}));
  const auto chosen = [&](std::int64_t side) {
    const Feeds feeds = {{"x", Random({1, 16, side, side}, 4)}};
    return RunWith(model, feeds, {}).changes.at("choose_winograd");
  };
  EXPECT_EQ(chosen(128), 4);
  EXPECT_EQ(chosen(64), 2);
}

}  // namespace
}  // namespace slipway::runtime
