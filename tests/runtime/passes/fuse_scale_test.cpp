// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

Ran ExpectSameAnswers(const Net& net, const std::string& output, const Feeds& feeds,
                      const std::string& pass) {
  const std::string bytes = net.Model({output});
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  EXPECT_TRUE(model) << model.error().message;
  const Ran without = RunWith(*model, feeds, {.enabled = false});
  Ran all = RunWith(*model, feeds, {});
  ExpectNear(without.outputs, all.outputs, 1e-5F);
  ExpectNear(without.outputs, RunWith(*model, feeds, {.without = {pass}}).outputs, 1e-5F);
  return all;
}

TEST(FuseConvScale, ScalesWeightsAndBias) {
  for (const tiny::Ints& shape : {tiny::Ints{1, 6, 1, 1}, tiny::Ints{6, 1, 1}, tiny::Ints{1}}) {
    Net net(1);
    const std::string c = net.Convolve("x", {.in = 3, .out = 6});
    const std::string y = net.Add("Mul", {net.Weights(shape, -2, 2), c});
    const Ran ran = ExpectSameAnswers(net, y, {{"x", Random({2, 3, 5, 6}, 1)}}, "fuse_conv_scale");
    EXPECT_EQ(ran.changes.at("fuse_conv_scale"), 1);
  }
}

TEST(FuseConvScale, LeavesOtherShapesAndSharedSums) {
  for (const tiny::Ints& shape : {tiny::Ints{1, 1, 5, 6}, tiny::Ints{6}, tiny::Ints{2, 6, 1, 1}}) {
    Net net(2);
    const std::string c = net.Convolve("x", {.in = 3, .out = 6});
    const std::string y = net.Add("Mul", {c, net.Weights(shape, -2, 2)});
    const Ran ran = ExpectSameAnswers(net, y, {{"x", Random({2, 3, 5, 6}, 1)}}, "fuse_conv_scale");
    EXPECT_EQ(ran.changes.at("fuse_conv_scale"), 0);
  }
  Net net(3);
  const std::string c = net.Convolve("x", {.in = 3, .out = 6});
  const std::string y = net.Add("Add", {net.Add("Mul", {c, net.Weights({6, 1, 1}, -2, 2)}), c});
  const Ran ran = ExpectSameAnswers(net, y, {{"x", Random({2, 3, 5, 6}, 1)}}, "fuse_conv_scale");
  EXPECT_EQ(ran.changes.at("fuse_conv_scale"), 0);
}

TEST(FuseBatchNormScale, TakesScaleAndShift) {
  Net net(4);
  std::string y = net.Normalise(net.Add("Relu", {"x"}), 6);
  y = net.Add("Mul", {y, net.Weights({6, 1, 1}, -2, 2)});
  y = net.Add("Add", {net.Weights({1, 6, 1, 1}, -2, 2), y});
  const Ran ran =
      ExpectSameAnswers(net, y, {{"x", Random({2, 6, 5, 7}, 1)}}, "fuse_batchnorm_scale");
  EXPECT_EQ(ran.changes.at("fuse_batchnorm_scale"), 2);
}

TEST(FuseBatchNormScale, LeavesWhatIsNotPerChannel) {
  Net net(5);
  std::string y = net.Normalise(net.Add("Relu", {"x"}), 6);
  y = net.Add("Mul", {y, net.Weights({6}, -2, 2)});
  const Ran ran =
      ExpectSameAnswers(net, y, {{"x", Random({2, 6, 5, 6}, 1)}}, "fuse_batchnorm_scale");
  EXPECT_EQ(ran.changes.at("fuse_batchnorm_scale"), 0);
}

TEST(FuseConvAdd, TakesASumOfTwo) {
  Net net(6);
  const std::string c = net.Convolve("x", {.in = 6, .out = 6});
  const std::string y = net.Add("Sum", {c, "x"});
  const Ran ran = ExpectSameAnswers(net, y, {{"x", Random({2, 6, 5, 6}, 1)}}, "fuse_conv_add");
  EXPECT_EQ(ran.changes.at("fuse_conv_add"), 1);
}

}  // namespace
}  // namespace slipway::runtime
