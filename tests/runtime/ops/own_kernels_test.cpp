// SPDX-License-Identifier: Apache-2.0
// Kernels of our own for images that lie row by row and for single rows, beside the reference, as
// every set of instructions of this machine has them.
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

/// Runs on one thread and on three, which agree to the bit.
std::vector<Value> RunOnThreads(const Model& model, const Feeds& feeds) {
  const auto one = MakeSession(model, {.threads = 1})->Run(feeds);
  const auto three = MakeSession(model, {.threads = 3})->Run(feeds);
  EXPECT_TRUE(one && three);
  if (!one || !three) return {};
  for (std::size_t i = 0; i < one->size(); ++i) {
    EXPECT_EQ(FloatsOf((*one)[i]), FloatsOf((*three)[i]));
  }
  return *one;
}

/// `kernel` serves, and the answers are the reference's.
void ExpectServed(const Model& model, const Feeds& feeds, const std::string& kernel) {
  const auto explained = MakeSession(model)->Explain(feeds);
  ASSERT_TRUE(explained) << explained.error().message;
  EXPECT_THAT(*explained, HasSubstr(kernel));
  const auto wanted = MakeSession(model, {.passes = false, .reference = true})->Run(feeds);
  ASSERT_TRUE(wanted) << wanted.error().message;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const test::OnlyTarget only(target);
    ExpectNear(*wanted, RunOnThreads(model, feeds), 1e-4F);
  }
}

struct FewPositions {
  tiny::Ints x, w, pads, strides, dilations;
  std::string then = {};
};

TEST(OwnKernels, ConvolutionsWithFewPositions) {
  const FewPositions cases[] = {
      {{1, 1, 576}, {258, 1, 256}, {0, 0}, {128}, {1}},
      {{1, 129, 4}, {128, 129, 3}, {1, 1}, {1}, {1}, "Relu"},
      {{1, 64, 2}, {64, 64, 3}, {1, 1}, {2}, {1}, "Relu"},
      {{1, 128, 1}, {1, 128, 1}, {0, 0}, {1}, {1}, "Sigmoid"},
      {{3, 7, 9}, {17, 7, 3}, {0, 1}, {3}, {2}, "Tanh"},
      {{1, 33, 1, 1}, {100, 33, 1, 1}, {0, 0, 0, 0}, {1, 1}, {1, 1}},
      {{2, 5, 12}, {47, 5, 3}, {1, 0}, {4}, {1}, "Relu"},
      {{1, 3, 2, 3, 4}, {20, 3, 2, 2, 2}, {0, 0, 0, 0, 0, 0}, {1, 1, 2}, {1, 1, 1}},
      {{8, 40, 5}, {70, 40, 5}, {0, 0}, {1}, {1}},
      {{1, 2, 1}, {3, 2, 5}, {3, 3}, {1}, {1}},
  };
  std::uint32_t seed = 1;
  for (const FewPositions& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    std::vector<std::string> inputs = {"x", net.Weights(c.w, -1, 1)};
    if (seed % 4 != 0) inputs.push_back(net.Weights({c.w[0]}, -1, 1));
    std::string v = net.Add("Conv", inputs,
                            {{"pads", c.pads}, {"strides", c.strides}, {"dilations", c.dilations}});
    if (!c.then.empty()) v = net.Add(c.then, {v});
    ExpectServed(ParseModel(net.Model({v})), {{"x", Random(Shape(c.x), seed)}}, "conv_rows");
    ++seed;
  }
}

struct Transposed {
  tiny::Ints x, w, pads, strides, dilations;
};

TEST(OwnKernels, TransposedConvolutionsByColumns) {
  const Transposed cases[] = {
      {{2, 16, 9, 21}, {16, 3, 4, 4}, {1, 1, 1, 1}, {2, 2}, {1, 1}},
      {{1, 5, 7, 37}, {5, 12, 3, 3}, {1, 2, 0, 1}, {2, 2}, {1, 1}},
      {{1, 4, 8, 40}, {4, 2, 3, 3}, {1, 1, 1, 1}, {1, 1}, {1, 1}},
      {{1, 3, 6, 35}, {3, 4, 2, 5}, {0, 3, 1, 4}, {2, 2}, {1, 2}},
      {{2, 20, 700}, {20, 9, 8}, {2, 2}, {4}, {1}},
      {{1, 600, 70}, {600, 30, 3}, {1, 0}, {2}, {1}},
      {{1, 4, 3, 4, 19}, {4, 2, 3, 3, 3}, {1, 1, 1, 1, 1, 1}, {2, 2, 2}, {1, 1, 1}},
  };
  std::uint32_t seed = 1;
  for (const Transposed& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    const std::string v =
        net.Add("ConvTranspose", {"x", net.Weights(c.w, -1, 1), net.Weights({c.w[1]}, -1, 1)},
                {{"pads", c.pads}, {"strides", c.strides}, {"dilations", c.dilations}});
    ExpectServed(ParseModel(net.Model({v})), {{"x", Random(Shape(c.x), seed)}},
                 "conv_transpose_columns");
    ++seed;
  }
}

struct Depthwise {
  std::int64_t height, width, kernel, stride, dilation;
  tiny::Ints pads;
};

TEST(OwnKernels, DepthwiseConvolutionsRowByRow) {
  const Depthwise cases[] = {
      {28, 28, 3, 1, 1, {1, 1, 1, 1}},  {28, 28, 3, 2, 1, {1, 1, 1, 1}},
      {7, 7, 3, 1, 1, {1, 1, 1, 1}},    {14, 14, 5, 1, 1, {2, 2, 2, 2}},
      {15, 37, 5, 2, 1, {2, 2, 2, 2}},  {9, 33, 3, 1, 2, {2, 2, 2, 2}},
      {9, 17, 3, 2, 3, {0, 3, 1, 0}},   {3, 3, 3, 1, 1, {0, 0, 0, 0}},
      {1, 1, 3, 1, 1, {1, 1, 1, 1}},    {4, 5, 3, 2, 1, {0, 0, 0, 0}},
      {6, 64, 3, 1, 1, {4, 0, 0, 5}},   {5, 100, 5, 1, 1, {0, 0, 4, 4}},
      {40, 31, 3, 2, 1, {0, 2, 0, 30}}, {30, 28, 7, 1, 1, {3, 3, 3, 3}},
      {9, 40, 7, 2, 1, {3, 3, 3, 3}},   {30, 20, 7, 1, 2, {6, 6, 6, 6}},
      {7, 7, 7, 1, 1, {3, 3, 3, 3}},
  };
  std::uint32_t seed = 1;
  for (const Depthwise& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    const std::int64_t channels = 5;
    const std::string w = net.Weights({channels, 1, c.kernel, c.kernel}, -1, 1);
    std::string v = net.Add("Conv", {"x", w, net.Weights({channels}, -1, 1)},
                            {{"pads", c.pads},
                             {"strides", tiny::Ints(2, c.stride)},
                             {"dilations", tiny::Ints(2, c.dilation)},
                             {"group", channels}});
    if (seed % 3 == 1) v = net.Add("Relu", {v});
    if (seed % 3 == 2) v = net.Add("Sigmoid", {v});
    ExpectServed(ParseModel(net.Model({v})),
                 {{"x", Random({2, channels, c.height, c.width}, seed)}}, "conv_depthwise");
    ++seed;
  }
}

TEST(OwnKernels, ConvolutionsWithFewChannelsOfOutput) {
  const Depthwise cases[] = {{20, 30, 3, 1, 1, {1, 1, 1, 1}},  {9, 16, 9, 1, 1, {4, 4, 4, 4}},
                             {17, 70, 5, 1, 1, {0, 3, 4, 0}},  {8, 65, 3, 1, 1, {0, 0, 0, 0}},
                             {1, 16, 3, 1, 1, {9, 1, 2, 1}},   {3, 2, 3, 1, 1, {1, 20, 1, 3}},
                             {33, 131, 7, 1, 1, {3, 3, 3, 3}}, {16, 64, 3, 1, 1, {1, 1, 1, 1}}};
  std::uint32_t seed = 1;
  for (const Depthwise& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    const std::int64_t in = 1 + seed * 3 % 7, out = 1 + seed * 5 % 8;
    const std::string w = net.Weights({out, in, c.kernel, c.kernel}, -0.3F, 0.3F);
    tiny::Texts inputs = {"x", w};
    if (seed % 2 == 0) inputs.push_back(net.Weights({out}, -1, 1));
    std::string v = net.Add("Conv", inputs, {{"pads", c.pads}});
    if (seed % 3 == 1) v = net.Add("Relu", {v});
    if (seed % 3 == 2) v = net.Add("Tanh", {v});
    ExpectServed(ParseModel(net.Model({v})), {{"x", Random({2, in, c.height, c.width}, seed)}},
                 "conv_few");
    ++seed;
  }
}

TEST(OwnKernels, DepthwiseConvolutionsAddWhatIsAdded) {
  Net net(1);
  const std::string v = net.Convolve("x", {.in = 6, .out = 6, .group = 6});
  const Model model = ParseModel(net.Model({net.Add("Relu", {net.Add("Add", {v, "x"})})}));
  for (const std::int64_t width : {5, 16, 30}) {
    ExpectServed(model, {{"x", Random({3, 6, 11, width}, 2)}}, "conv_depthwise");
  }
}

struct Grouped {
  std::int64_t in, out, groups, height, width;
};

TEST(OwnKernels, ConvolutionsInGroupsAndTheirShuffle) {
  const Grouped cases[] = {{24, 112, 4, 12, 12}, {136, 136, 4, 7, 7},  {20, 25, 5, 4, 4},
                           {28, 28, 2, 5, 13},   {36, 66, 3, 17, 16},  {8, 8, 2, 1, 16},
                           {12, 52, 2, 33, 2},   {112, 112, 4, 28, 28}};
  std::uint32_t seed = 1;
  for (const Grouped& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    std::string v =
        net.Convolve("x", {.in = c.in, .out = c.out, .kernel = 1, .pad = 0, .group = c.groups});
    if (seed % 3 == 1) v = net.Add("Relu", {v});
    if (seed % 3 == 2) v = net.Add("Tanh", {v});
    const auto shape = [&](const tiny::Ints& dims) {
      return net.Add("Constant", {}, {{"value_ints", dims}});
    };
    const std::int64_t batch = 1 + seed % 2;
    std::string y =
        net.Add("Reshape", {v, shape({batch, c.groups, c.out / c.groups, c.height, c.width})});
    y = net.Add("Transpose", {y}, {{"perm", tiny::Ints{0, 2, 1, 3, 4}}});
    y = net.Add("Reshape", {y, shape({batch, c.out, c.height, c.width})});
    const Feeds feeds = {{"x", Random({batch, c.in, c.height, c.width}, seed)}};
    ExpectServed(ParseModel(net.Model({v})), feeds, "conv_grouped");
    const Model shuffled = ParseModel(net.Model({y}));
    ExpectServed(shuffled, feeds, "conv_grouped");
    EXPECT_EQ(RunWith(shuffled, feeds, {}).changes.at("fuse_channel_shuffle"), 1);
    ++seed;
  }
}

TEST(OwnKernels, OtherOrdersAreNoShuffle) {
  for (const tiny::Ints& order : {tiny::Ints{0, 1, 2, 4, 3}, tiny::Ints{0, 2, 1, 4, 3}}) {
    Net net(3);
    std::string v = net.Convolve("x", {.in = 8, .out = 8, .kernel = 1, .pad = 0, .group = 2});
    const auto shape = [&](const tiny::Ints& dims) {
      return net.Add("Constant", {}, {{"value_ints", dims}});
    };
    v = net.Add("Reshape", {v, shape({1, 2, 4, 6, 6})});
    v = net.Add("Transpose", {v}, {{"perm", order}});
    v = net.Add("Reshape", {v, shape({1, 8, 6, 6})});
    const Model model = ParseModel(net.Model({v}));
    const Feeds feeds = {{"x", Random({1, 8, 6, 6}, 1)}};
    const Ran all = RunWith(model, feeds, {});
    ExpectNear(RunWith(model, feeds, {.enabled = false}).outputs, all.outputs);
    EXPECT_EQ(all.changes.at("fuse_channel_shuffle"), 0);
  }
}

struct Narrow {
  std::int64_t in, out, kernel, stride, pad, height, width;
};

TEST(OwnKernels, ConvolutionsWithShortRows) {
  if (ChannelBlock() != 16) GTEST_SKIP() << "blocks are not of 16 channels";
  const Narrow cases[] = {{64, 256, 3, 1, 1, 7, 7},  {128, 144, 3, 2, 1, 14, 14},
                          {512, 208, 1, 1, 0, 7, 7}, {320, 320, 1, 1, 0, 5, 8},
                          {64, 192, 3, 1, 1, 9, 6},  {512, 272, 1, 2, 0, 9, 9},
                          {48, 96, 5, 1, 2, 4, 4},   {64, 224, 3, 1, 0, 6, 7}};
  std::uint32_t seed = 1;
  for (const Narrow& c : cases) {
    SCOPED_TRACE(seed);
    Net net(seed);
    std::string v = net.Convolve("x", {.in = 32, .out = c.in, .kernel = 1, .pad = 0});
    v = net.Convolve(
        v, {.in = c.in, .out = c.out, .kernel = c.kernel, .stride = c.stride, .pad = c.pad});
    if (seed % 3 == 1) v = net.Add("Clip", {v});
    if (seed % 3 == 2) v = net.Add("Tanh", {v});
    v = net.Convolve(v, {.in = c.out, .out = 32, .kernel = 1, .pad = 0});
    ExpectServed(ParseModel(net.Model({v})),
                 {{"x", Random({seed % 3 == 0 ? 11 : 1, 32, c.height, c.width}, seed)}},
                 "conv_narrow");
    ++seed;
  }
}

/// The image that is added is the last user's: the sum takes its place.
TEST(OwnKernels, SumsTakeThePlaceOfWhatTheyAdd) {
  if (ChannelBlock() == 0) GTEST_SKIP() << "oneDNN works on rows on this processor";
  for (const std::int64_t width : {7, 20}) {
    Net net(9);
    std::string v =
        net.Add("Relu", {net.Convolve("x", {.in = 32, .out = 128, .kernel = 1, .pad = 0})});
    for (int block = 0; block < 3; ++block) {
      const std::string side = net.Add("Relu", {net.Convolve(v, {.in = 128, .out = 128})});
      v = net.Add("Relu", {net.Add("Add", {net.Convolve(side, {.in = 128, .out = 128}), v})});
    }
    const std::string kept = net.Add("Add", {net.Convolve(v, {.in = 128, .out = 128}), v});
    const std::string y = net.Convolve(net.Add("Mul", {kept, v}), {.in = 128, .out = 32});
    ExpectServed(ParseModel(net.Model({y})), {{"x", Random({2, 32, 7, width}, 1)}}, "Conv");
  }
}

TEST(OwnKernels, OneRowTimesAMatrix) {
  std::uint32_t seed = 1;
  for (const auto& [depth, width] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {256, 10}, {1, 1}, {7, 65}, {33, 300}, {1000, 1001}, {64, 64}, {513, 3}, {3, 4000}}) {
    SCOPED_TRACE(seed);
    const Feeds feeds = {{"x", Random({1, depth}, seed)}};
    Net product(seed);
    const std::string w = product.Weights({depth, width}, -1, 1);
    ExpectServed(ParseModel(product.Model({product.Add("MatMul", {"x", w})})), feeds,
                 "matmul_vector");
    for (const bool turned : {false, true}) {
      for (const std::int64_t bias : {std::int64_t{0}, std::int64_t{1}, width}) {
        Net net(seed);
        tiny::Texts inputs = {
            "x", net.Weights(turned ? tiny::Ints{width, depth} : tiny::Ints{depth, width}, -1, 1)};
        if (bias > 0) inputs.push_back(net.Weights({bias}, -1, 1));
        const std::string y = net.Add("Gemm", inputs, {{"transB", std::int64_t{turned}}});
        ExpectServed(ParseModel(net.Model({y})), feeds, "gemm_vector");
      }
    }
    ++seed;
  }
}

TEST(OwnKernels, AFewRowsTimesASmallMatrix) {
  struct Product {
    Shape x;
    std::int64_t depth, width;
  };
  const Product cases[] = {{{4, 64}, 64, 32}, {{2, 1, 7}, 7, 65}, {{3, 2, 100}, 100, 16},
                           {{9, 1}, 1, 1},    {{5, 33}, 33, 81},  {{2, 130}, 130, 10},
                           {{8, 5}, 5, 128},  {{7, 70}, 70, 3}};
  std::uint32_t seed = 1;
  for (const Product& c : cases) {
    SCOPED_TRACE(seed);
    const Feeds feeds = {{"x", Random(c.x, seed)}};
    for (const char* then : {"", "Relu", "Tanh"}) {
      Net net(seed);
      const std::string w = net.Weights({c.depth, c.width}, -1, 1);
      std::string y = net.Add("MatMul", {"x", w});
      if (seed % 2 == 0) y = net.Add("Add", {y, net.Weights({c.width}, -1, 1)});
      if (then[0] != '\0') y = net.Add(then, {y});
      ExpectServed(ParseModel(net.Model({y})), feeds, "matmul_small");
    }
    for (const bool turned : {false, true}) {
      if (c.x.size() != 2) continue;
      Net net(seed);
      tiny::Texts inputs = {
          "x",
          net.Weights(turned ? tiny::Ints{c.width, c.depth} : tiny::Ints{c.depth, c.width}, -1, 1)};
      if (seed % 2 == 1) inputs.push_back(net.Weights({c.width}, -1, 1));
      const std::string y = net.Add("Gemm", inputs, {{"transB", std::int64_t{turned}}});
      ExpectServed(ParseModel(net.Model({y})), feeds, "gemm_small");
      ExpectServed(ParseModel(net.Model({net.Add("Relu", {y})})), feeds, "matmul_small");
    }
    ++seed;
  }
}

TEST(OwnKernels, MatricesThatComeAtRunTime) {
  const std::string graph = tiny::GraphOf({{"MatMul", {"x", "w"}, {"y"}}}, {{"x"}, {"w"}}, {{"y"}});
  const Model model = ParseModel(tiny::ModelOf(graph));
  const std::pair<Shape, Shape> cases[] = {
      {{40}, {40, 30}}, {{1, 40}, {40}}, {{1, 1, 40}, {40, 70}}, {{1, 40}, {1, 1, 40, 5}}};
  for (const auto& [x, w] : cases) {
    ExpectServed(model, {{"x", Random(x, 1)}, {"w", Random(w, 2)}}, "matmul_vector");
  }
}

}  // namespace
}  // namespace slipway::runtime
