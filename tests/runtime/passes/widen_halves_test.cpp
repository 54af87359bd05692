// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/kernels/float16.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

std::string CastTo(Net& net, const std::string& x, DType dtype) {
  return net.Add("Cast", {x}, {{"to", static_cast<std::int64_t>(dtype)}});
}

/// Convolutions with weights of `dtype`, a sum and a concatenation; input and output are float32.
/// `inside`, if not null, gets the name of a value in the middle.
std::string Network(Net& net, DType dtype, std::string* inside = nullptr) {
  const auto weights = [&](const tiny::Ints& shape) {
    return CastTo(net, net.Weights(shape, -0.3F, 0.3F), dtype);
  };
  const std::string x = CastTo(net, "x", dtype);
  const std::string first = net.Add(
      "Relu",
      {net.Add("Conv", {x, weights({6, 4, 3, 3}), weights({6})}, {{"pads", tiny::Ints(4, 1)}})});
  if (inside != nullptr) *inside = first;
  const std::string pooled = net.Add("MaxPool", {first}, {{"kernel_shape", tiny::Ints{2, 2}}});
  std::string y = net.Add("Conv", {pooled, weights({6, 6, 1, 1})});
  y = net.Add("Concat", {net.Add("Add", {y, pooled}), pooled}, {{"axis", std::int64_t{1}}});
  y = net.Add("Softmax", {net.Add("Flatten", {net.Add("GlobalAveragePool", {y})})});
  return CastTo(net, y, DType::kFloat32);
}

Model Parsed(const Net& net, const tiny::Texts& outputs) {
  constexpr std::int64_t kConvOfBfloat16 = 22;
  const std::string bytes = net.Model(outputs, kConvOfBfloat16);
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

Model ParsedNetwork(DType dtype) {
  Net net(7);
  const std::string y = Network(net, dtype);
  return Parsed(net, {y});
}

double Distance(const Value& a, const Value& b) {
  const auto x = FloatsOf(a), y = FloatsOf(b);
  EXPECT_EQ(x.size(), y.size());
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
  }
  return most;
}

class WidenHalves : public ::testing::TestWithParam<DType> {};

TEST_P(WidenHalves, RoundsLessAndStaysNear) {
  const Model model = ParsedNetwork(GetParam());
  const Feeds feeds = {{"x", Random({2, 4, 9, 8}, 3)}};
  const Ran without = RunWith(model, feeds, {.without = {"widen_halves"}});
  const Ran widened = RunWith(model, feeds, {});
  EXPECT_EQ(widened.changes.at("widen_halves"), 9);
  EXPECT_FALSE(without.changes.contains("widen_halves"));
  const double step = GetParam() == DType::kFloat16 ? 0x1p-11 : 0x1p-8;
  EXPECT_LT(Distance(without.outputs[0], widened.outputs[0]), 4 * step);
  EXPECT_GT(Distance(without.outputs[0], widened.outputs[0]), 0);
}

TEST_P(WidenHalves, StrictAccuracyAndReferenceKernelsKeepEachRounding) {
  const Model model = ParsedNetwork(GetParam());
  const Feeds feeds = {{"x", Random({1, 4, 6, 6}, 4)}};
  EXPECT_EQ(RunWith(model, feeds, {.choice = {.strict = true}}).changes.at("widen_halves"), 0);
  EXPECT_EQ(RunWith(model, feeds, {.choice = {.reference = true}}).changes.at("widen_halves"), 0);
}

INSTANTIATE_TEST_SUITE_P(Types, WidenHalves, ::testing::Values(DType::kFloat16, DType::kBfloat16));

TEST(WidenHalvesOf16Bits, OthersGetTheValuesInTheirOwnType) {
  Net net(8);
  std::string inside;
  const std::string y = Network(net, DType::kFloat16, &inside);
  const Model model = Parsed(net, {y, CastTo(net, inside, DType::kFloat32)});
  const Ran widened = RunWith(model, {{"x", Random({1, 4, 6, 6}, 5)}}, {});
  EXPECT_GT(widened.changes.at("widen_halves"), 0);
  for (const float number : FloatsOf(widened.outputs[1])) {
    EXPECT_EQ(number, static_cast<float>(Float16(number)));
  }
}

TEST(WidenHalvesOf16Bits, LeavesWhatHasNoWeightsOf16Bits) {
  Net net(9);
  const std::string x = CastTo(net, "x", DType::kFloat16);
  const std::string product = net.Add("MatMul", {net.Add("Relu", {x}), net.Add("Transpose", {x})});
  const Model model = Parsed(net, {CastTo(net, net.Add("Tanh", {product}), DType::kFloat32)});
  const Feeds feeds = {{"x", Random({3, 5}, 6)}};
  const Ran plain = RunWith(model, feeds, {.enabled = false});
  const Ran all = RunWith(model, feeds, {});
  EXPECT_EQ(all.changes.at("widen_halves"), 0);
  ExpectNear(plain.outputs, all.outputs, 0);
}

}  // namespace
}  // namespace slipway::runtime
