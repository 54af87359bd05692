// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

std::string Number(Net& net, float number, const tiny::Ints& shape = {1}) {
  const std::string flat = net.Add("Constant", {}, {{"value_floats", tiny::Floats{number}}});
  return net.Add("Reshape", {flat, net.Add("Constant", {}, {{"value_ints", shape}})});
}

void ExpectFused(const Net& net, const std::string& output, std::int64_t count) {
  ExpectPass(net.Model({output}), {{"x", Random({3, 7, 40}, 1)}}, "fuse_gelu", count, 2e-6F);
}

TEST(FuseGelu, TakesTheWaysItIsSpelt) {
  Net net(1);
  const auto sum = [&](const std::string& scaled) {
    return net.Add("Add", {net.Add("Erf", {scaled}), Number(net, 1)});
  };
  std::string y = net.Add("Mul", {"x", sum(net.Add("Div", {"x", Number(net, 1.4142135F)}))});
  y = net.Add("Mul", {y, Number(net, 0.5F)});
  ExpectFused(net, y, 1);
  y = net.Add("Mul", {net.Add("Mul", {y, Number(net, 0.5F)}),
                      sum(net.Add("Mul", {Number(net, 0.70710677F), y}))});
  ExpectFused(net, y, 2);
  const std::string half =
      net.Add("Mul", {sum(net.Add("Div", {"x", Number(net, 1.4142135F)})), Number(net, 0.5F)});
  ExpectFused(net, net.Add("Mul", {half, "x"}), 1);
}

/// sqrt(2 / pi) * (x + factor * cube).
std::string Bent(Net& net, const std::string& cube, float factor = 0.044715F) {
  const std::string sum = net.Add("Add", {"x", net.Add("Mul", {cube, Number(net, factor)})});
  return net.Add("Mul", {Number(net, 0.7978846F), sum});
}

TEST(FuseGelu, TakesItByTheHyperbolicTangent) {
  for (const bool by_power : {true, false}) {
    Net net(5);
    const std::string cube = by_power ? net.Add("Pow", {"x", Number(net, 3)})
                                      : net.Add("Mul", {"x", net.Add("Mul", {"x", "x"})});
    const std::string sum = net.Add("Add", {net.Add("Tanh", {Bent(net, cube)}), Number(net, 1)});
    ExpectFused(net, net.Add("Mul", {net.Add("Mul", {"x", Number(net, 0.5F)}), sum}), 1);
    ExpectFused(net, net.Add("Mul", {Number(net, 0.5F), net.Add("Mul", {"x", sum})}), 1);
  }
}

TEST(FuseGelu, LeavesOtherCurvesOfTheHyperbolicTangent) {
  for (const auto& [power, factor] : {std::pair(2.0F, 0.044715F), std::pair(3.0F, 0.05F)}) {
    Net net(6);
    const std::string cube = net.Add("Pow", {"x", Number(net, power)});
    const std::string sum =
        net.Add("Add", {net.Add("Tanh", {Bent(net, cube, factor)}), Number(net, 1)});
    ExpectFused(net, net.Add("Mul", {net.Add("Mul", {"x", Number(net, 0.5F)}), sum}), 0);
  }
}

TEST(FuseGelu, LeavesWhatIsAnotherFunctionOrUsedElsewhere) {
  for (const float root : {1.0F, 2.0F}) {
    Net net(2);
    const std::string erf = net.Add("Erf", {net.Add("Div", {"x", Number(net, root)})});
    const std::string y = net.Add("Mul", {"x", net.Add("Add", {erf, Number(net, 1)})});
    ExpectFused(net, net.Add("Mul", {y, Number(net, 0.5F)}), 0);
  }
  Net net(3);
  const std::string erf = net.Add("Erf", {net.Add("Div", {"x", Number(net, 1.4142135F)})});
  std::string y = net.Add("Mul", {"x", net.Add("Add", {erf, Number(net, 1)})});
  y = net.Add("Mul", {y, Number(net, 0.5F)});
  ExpectFused(net, net.Add("Sub", {y, erf}), 0);
  Net wide(4);
  const std::string root = Number(wide, 1.4142135F, {1, 1, 1, 1});
  y = wide.Add("Erf", {wide.Add("Div", {"x", root})});
  y = wide.Add("Mul", {"x", wide.Add("Add", {y, Number(wide, 1)})});
  ExpectFused(wide, wide.Add("Mul", {y, Number(wide, 0.5F)}), 0);
}

}  // namespace
}  // namespace slipway::runtime
