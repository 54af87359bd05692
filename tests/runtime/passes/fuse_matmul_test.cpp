// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

constexpr float kError = 4e-6F;

/// The model of `net` gives the same with the pass and without, by the fast kernel and by the
/// plain one, and the pass changes `count` places.
void ExpectFused(const Net& net, const std::string& output, std::int64_t count,
                 const Shape& shape = {3, 7, 40}) {
  const Feeds feeds = {{"x", Random(shape, 1)}};
  for (const bool reference : {false, true}) {
    ExpectPass(net.Model({output}), feeds, "fuse_matmul", count, kError,
               {.choice = {.reference = reference}});
  }
}

std::string Product(Net& net, std::int64_t width = 24) {
  return net.Add("MatMul", {"x", net.Weights({40, width}, -0.2F, 0.2F)});
}

TEST(FuseMatMul, AddsARowFromEitherSide) {
  Net net(1);
  const std::string row = net.Weights({24}, -1, 1);
  ExpectFused(net, net.Add("Add", {Product(net), row}), 1);
  ExpectFused(net, net.Add("Add", {net.Weights({1, 1, 24}, -1, 1), Product(net)}), 1);
}

TEST(FuseMatMul, AppliesEveryActivation) {
  const std::vector<std::pair<std::string, std::vector<tiny::Attribute>>> activations = {
      {"Relu", {}},
      {"Sigmoid", {}},
      {"Tanh", {}},
      {"HardSwish", {}},
      {"Gelu", {}},
      {"Gelu", {{"approximate", "tanh"}}},
      {"LeakyRelu", {{"alpha", 0.3F}}},
      {"Elu", {{"alpha", 0.7F}}},
      {"HardSigmoid", {{"alpha", 0.3F}, {"beta", 0.4F}}}};
  for (const auto& [type, attributes] : activations) {
    SCOPED_TRACE(type);
    Net net(2);
    const std::string sum = net.Add("Add", {Product(net), net.Weights({24}, -1, 1)});
    ExpectFused(net, net.Add(type, {sum}, attributes), 1);
    Net bare(3);
    ExpectFused(bare, bare.Add(type, {Product(bare)}, attributes), 1);
  }
  Net net(4);
  const auto bound = [&net](float at) {
    const std::string flat = net.Add("Constant", {}, {{"value_floats", tiny::Floats{at}}});
    return net.Add("Squeeze", {flat});
  };
  ExpectFused(net, net.Add("Clip", {Product(net), bound(-0.5F), bound(0.25F)}), 1);
}

TEST(FuseMatMul, FollowsBatchesOfMatrices) {
  Net net(5);
  const std::string square = net.Add("Transpose", {"x"}, {{"perm", tiny::Ints{0, 2, 1}}});
  const std::string product = net.Add("MatMul", {"x", square});
  const std::string sum = net.Add("Add", {product, net.Weights({7}, -1, 1)});
  ExpectFused(net, net.Add("Tanh", {sum}), 1);
}

TEST(FuseMatMul, TakesGemmWithAnActivation) {
  for (const std::int64_t transposed : {0, 1}) {
    Net net(6);
    const tiny::Ints shape = transposed != 0 ? tiny::Ints{24, 40} : tiny::Ints{40, 24};
    const std::string sum =
        net.Add("Gemm", {"x", net.Weights(shape, -0.2F, 0.2F), net.Weights({24}, -1, 1)},
                {{"transB", transposed}});
    ExpectFused(net, sum, 0, {9, 40});
    ExpectFused(net, net.Add("Relu", {sum}), 1, {9, 40});
  }
  Net net(7);
  const std::string w = net.Weights({40, 24}, -0.2F, 0.2F);
  ExpectFused(net, net.Add("Relu", {net.Add("Gemm", {"x", w})}), 1, {9, 40});
  const std::string scaled = net.Add("Gemm", {"x", w}, {{"alpha", 0.5F}});
  ExpectFused(net, net.Add("Relu", {scaled}), 0, {9, 40});
}

TEST(FuseMatMul, LeavesWhatIsNoRowOrUsedElsewhere) {
  Net net(8);
  const std::string product = Product(net);
  const std::string sum = net.Add("Add", {product, net.Weights({24}, -1, 1)});
  ExpectFused(net, net.Add("Mul", {sum, product}), 0);
  Net column(9);
  ExpectFused(column, column.Add("Add", {Product(column), column.Weights({7, 1}, -1, 1)}), 0);
  Net wide(10);
  ExpectFused(wide, wide.Add("Add", {Product(wide), wide.Weights({1, 1, 1, 24}, -1, 1)}), 0);
  Net residual(11);
  ExpectFused(residual, residual.Add("Add", {Product(residual, 40), "x"}), 0);
  Net twice(12);
  const std::string once = Product(twice);
  ExpectFused(twice, twice.Add("Add", {once, once}), 0);
}

TEST(FuseMatMul, LeavesTheActivationOfASumUsedTwice) {
  Net net(13);
  const std::string sum = net.Add("Add", {Product(net), net.Weights({24}, -1, 1)});
  ExpectFused(net, net.Add("Mul", {sum, net.Add("Sigmoid", {sum})}), 1);
}

}  // namespace
}  // namespace slipway::runtime
