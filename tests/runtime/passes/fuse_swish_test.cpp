// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

std::string Number(Net& net, float number, const tiny::Ints& shape = {}) {
  const std::string flat = net.Add("Constant", {}, {{"value_floats", tiny::Floats{number}}});
  return net.Add("Reshape", {flat, net.Add("Constant", {}, {{"value_ints", shape}})});
}

void ExpectFused(const Net& net, const std::string& output, std::int64_t count) {
  ExpectPass(net.Model({output}), {{"x", Random({3, 7, 40}, 1)}}, "fuse_swish", count, 2e-6F);
}

TEST(FuseSwish, TakesTheWaysItIsSpelt) {
  Net net(1);
  std::string y = net.Add("Mul", {"x", net.Add("Sigmoid", {"x"})});
  ExpectFused(net, y, 1);
  y = net.Add("Mul", {net.Add("Sigmoid", {y}), y});
  ExpectFused(net, y, 2);
  y = net.Add("Mul", {y, net.Add("Sigmoid", {net.Add("Mul", {Number(net, 1.702F), y})})});
  ExpectFused(net, y, 3);
}

TEST(FuseSwish, LeavesWhatIsNone) {
  Net net(2);
  const std::string gate = net.Add("Sigmoid", {"x"});
  // Something else times the gate, a gate that is used twice, a factor for every row.
  ExpectFused(net, net.Add("Mul", {gate, net.Add("Abs", {"x"})}), 0);
  ExpectFused(net, net.Add("Add", {net.Add("Mul", {"x", gate}), gate}), 0);
  const std::string scaled = net.Add("Mul", {"x", net.Add("Tanh", {"x"})});
  ExpectFused(net, net.Add("Mul", {"x", net.Add("Sigmoid", {scaled})}), 0);
  const std::string wider = net.Add("Mul", {"x", Number(net, 2, {1, 1, 1, 1})});
  ExpectFused(net, net.Add("Mul", {"x", net.Add("Sigmoid", {wider})}), 0);
}

TEST(FuseSwish, FollowsAConvolution) {
  Net net(1);
  const std::string y = net.Convolve("x", {.in = 16, .out = 32});
  const std::string model = net.Model({net.Add("Mul", {y, net.Add("Sigmoid", {y})})});
  ExpectPass(model, {{"x", Random({2, 16, 9, 11}, 1)}}, "fuse_conv_activation", 1, 4e-6F);
}

}  // namespace
}  // namespace slipway::runtime
