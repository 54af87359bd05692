// SPDX-License-Identifier: Apache-2.0
// Convolutions, pools and changes of layout of small images in blocks of channels, beside the
// reference, as every set of instructions of this machine has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/kernels/blocked.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"
#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tiny::Net;

/// Named so that they run with blocks of 8 channels too.
class BlockLayoutsOfSmallImages : public ::testing::Test {
 protected:
  void SetUp() override {
    if (ChannelBlock() == 0) GTEST_SKIP() << "oneDNN works on rows on this processor";
  }

  /// These kernels and none of oneDNN's serve, and the answers are the reference's.
  static void ExpectServed(const Net& net, const std::string& output, const Feeds& feeds,
                           const std::vector<std::string>& kernels) {
    const std::string bytes = net.Model({output});
    const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(model) << model.error().message;
    const auto explained = MakeSession(*model)->Explain(feeds);
    ASSERT_TRUE(explained) << explained.error().message;
    for (const std::string& kernel : kernels) EXPECT_THAT(*explained, HasSubstr(" " + kernel));
    EXPECT_THAT(*explained, Not(HasSubstr("_dnnl ->")));
    const auto wanted = MakeSession(*model, {.passes = false, .reference = true})->Run(feeds);
    ASSERT_TRUE(wanted) << wanted.error().message;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      SCOPED_TRACE(hwy::TargetName(target));
      const test::OnlyTarget only(target);
      const auto got = MakeSession(*model)->Run(feeds);
      ASSERT_TRUE(got) << got.error().message;
      ExpectNear(*wanted, *got, 1e-5F);
    }
  }
};

struct Small {
  std::int64_t in, middle, out;
  tiny::Ints kernel, strides, pads, dilations, x;
};

TEST_F(BlockLayoutsOfSmallImages, Convolutions) {
  const Small cases[] = {
      {1, 16, 32, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, {3, 4}},
      {3, 20, 9, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, {5, 7}},
      {2, 8, 40, {2, 3}, {2, 1}, {0, 2, 1, 0}, {1, 2}, {6, 5}},
      {5, 17, 33, {3, 1}, {1, 3}, {2, 0, 3, 0}, {2, 1}, {4, 7}},
      {1, 20, 1, {5, 5}, {2, 2}, {2, 2, 2, 2}, {1, 1}, {3, 4}},
      {1, 12, 16, {1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}, {5, 6}},
      {1, 16, 24, {3, 3}, {3, 3}, {0, 0, 0, 0}, {1, 1}, {11, 3}},
  };
  std::uint32_t seed = 1;
  for (const Small& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    std::string v = net.Convolve("x", {.in = c.in, .out = c.middle});
    if (seed % 2 == 0) v = net.Add("Relu", {v});
    tiny::Texts inputs = {v, net.Weights({c.out, c.middle, c.kernel[0], c.kernel[1]}, -0.1F, 0.1F)};
    if (seed % 3 != 0) inputs.push_back(net.Weights({c.out}, -1, 1));
    v = net.Add("Conv", inputs,
                {{"pads", c.pads}, {"strides", c.strides}, {"dilations", c.dilations}});
    if (seed % 4 == 1) v = net.Add("Clip", {v});
    if (seed % 4 == 2) v = net.Add("Tanh", {v});
    const std::int64_t images = 1 + seed % 3;
    ExpectServed(net, v, {{"x", Random({images, c.in, c.x[0], c.x[1]}, seed)}}, {"conv_small"});
    ++seed;
  }
}

TEST_F(BlockLayoutsOfSmallImages, ConvolutionsThatAdd) {
  for (const std::int64_t channels : {16, 11}) {
    Net net(5);
    std::string v = net.Add("Relu", {net.Convolve("x", {.in = 2, .out = channels})});
    for (int i = 0; i < 2; ++i) {
      v = net.Add("Relu",
                  {net.Add("Add", {net.Convolve(v, {.in = channels, .out = channels}), v})});
    }
    ExpectServed(net, v, {{"x", Random({2, 2, 4, 6}, 3)}}, {"conv_small"});
  }
}

struct Window {
  std::string type;
  tiny::Ints kernel, strides, pads, dilations = {1, 1};
  std::vector<tiny::Attribute> more = {};
};

TEST_F(BlockLayoutsOfSmallImages, Pools) {
  const Window cases[] = {
      {"MaxPool", {2, 2}, {2, 2}, {0, 0, 0, 0}},
      {"MaxPool", {3, 2}, {1, 2}, {1, 1, 1, 0}, {2, 1}},
      {"MaxPool", {3, 3}, {2, 2}, {0, 0, 0, 0}, {1, 1}, {{"ceil_mode", std::int64_t{1}}}},
      {"AveragePool", {2, 3}, {2, 1}, {1, 0, 0, 1}},
      {"AveragePool",
       {3, 3},
       {2, 2},
       {1, 1, 1, 1},
       {1, 1},
       {{"count_include_pad", std::int64_t{1}}}},
  };
  std::uint32_t seed = 1;
  for (const Window& c : cases) {
    for (const std::int64_t channels : {16, 21}) {
      SCOPED_TRACE(seed);
      Net net(seed);
      std::string v = net.Convolve("x", {.in = 1, .out = channels});
      std::vector<tiny::Attribute> attributes = {
          {"kernel_shape", c.kernel}, {"strides", c.strides}, {"pads", c.pads}};
      if (c.type == "MaxPool") attributes.push_back({"dilations", c.dilations});
      attributes.insert(attributes.end(), c.more.begin(), c.more.end());
      v = net.Add(c.type, {v}, std::move(attributes));
      v = net.Convolve(v, {.in = channels, .out = 5});
      ExpectServed(net, v, {{"x", Random({2, 1, 7, 6}, seed)}}, {"pool_small", "conv_small"});
      ++seed;
    }
  }
}

TEST_F(BlockLayoutsOfSmallImages, LayoutsOfOtherNodesAround) {
  for (const std::int64_t channels : {32, 37}) {
    Net net(2);
    std::string v = net.Convolve("x", {.in = channels, .out = 18, .kernel = 1, .pad = 0});
    v = net.Add("MaxPool", {v}, {{"kernel_shape", tiny::Ints{2, 2}}});
    v = net.Convolve(v, {.in = 18, .out = 20});
    ExpectServed(net, v, {{"x", Random({2, channels, 4, 5}, 1)}},
                 {"reorder_turned", "pool_small", "conv_small"});
  }
}

}  // namespace
}  // namespace slipway::runtime
