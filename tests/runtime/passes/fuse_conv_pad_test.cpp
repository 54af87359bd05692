// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Ints;
using tiny::Net;

std::string Numbers(Net& net, const Ints& numbers) {
  return net.Add("Constant", {}, {{"value_ints", numbers}});
}

void ExpectFused(const Net& net, const std::string& output, std::int64_t count) {
  ExpectPass(net.Model({output}), {{"x", Random({2, 3, 6, 7}, 1)}}, "fuse_conv_pad", count, 1e-5F);
}

TEST(FuseConvPad, AddsTheZerosToThoseOfTheConv) {
  for (const std::int64_t stride : {1, 2}) {
    for (const Ints& pads : {Ints{0, 0, 0, 0, 0, 0, 1, 1}, Ints{0, 0, 3, 1, 0, 0, 0, 2}}) {
      Net net(1);
      const std::string padded = net.Add("Pad", {"x", Numbers(net, pads)});
      ExpectFused(net, net.Convolve(padded, {.in = 3, .out = 4, .stride = stride}), 1);
    }
  }
}

TEST(FuseConvPad, TakesZeroAsAnInputAndPadsAsAnAttribute) {
  const Ints pads = {0, 0, 1, 1, 0, 0, 1, 1};
  Net given(2);
  const std::string zero = given.Add("Constant", {}, {{"value_float", 0.0F}});
  const std::string padded = given.Add("Pad", {"x", Numbers(given, pads), zero});
  ExpectFused(given, given.Convolve(padded, {.in = 3, .out = 4}), 1);
  const tiny::Node old{"Pad", {"x"}, {"padded"}, {{"pads", pads}}};
  const std::string graph =
      tiny::GraphOf({old, {"Conv", {"padded", "w"}, {"y"}}}, {{"x"}, {"w"}}, {{"y"}});
  ExpectPass(tiny::ModelOf(graph, 10),
             {{"x", Random({2, 3, 6, 7}, 1)}, {"w", Random({4, 3, 3, 3}, 2)}}, "fuse_conv_pad", 1,
             1e-5F);
}

TEST(FuseConvPad, LeavesWhatIsNotZerosAroundTheImage) {
  const Ints around = {0, 0, 1, 1, 0, 0, 1, 1};
  for (const auto& [pads, mode] : {std::pair{around, "edge"},
                                   {around, "reflect"},
                                   {Ints{0, 0, -1, 1, 0, 0, 1, 1}, "constant"},
                                   {Ints{1, 0, 1, 1, 0, 0, 1, 1}, "constant"}}) {
    Net net(4);
    const std::string padded =
        net.Add("Pad", {"x", Numbers(net, pads)}, {{"mode", std::string(mode)}});
    ExpectFused(net, net.Convolve(padded, {.in = 3, .out = 4}), 0);
  }
  Net ones(5);
  const std::string one = ones.Add("Constant", {}, {{"value_float", 1.0F}});
  const std::string padded = ones.Add("Pad", {"x", Numbers(ones, around), one});
  ExpectFused(ones, ones.Convolve(padded, {.in = 3, .out = 4}), 0);
}

TEST(FuseConvPad, LeavesImagesThatOthersUseAndPadsOfSomeAxes) {
  Net shared(6);
  const std::string padded = shared.Add("Pad", {"x", Numbers(shared, {0, 0, 1, 1, 0, 0, 1, 1})});
  const std::string c = shared.Convolve(padded, {.in = 3, .out = 3});
  ExpectFused(shared, shared.Add("Add", {c, padded}), 0);
  Net axes(7);
  const std::string some = axes.Add("Pad", {"x", Numbers(axes, {1, 1}), "", Numbers(axes, {2})});
  ExpectFused(axes, axes.Convolve(some, {.in = 3, .out = 4}), 0);
}

}  // namespace
}  // namespace slipway::runtime
