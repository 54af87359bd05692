// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

/// `x` to bytes and back, a function, and again.
std::string Quantised(Net& net, const std::string& x, float scale, std::int64_t zero) {
  const std::string step = net.Add("Constant", {}, {{"value_float", scale}});
  const std::string number = net.Add("Constant", {}, {{"value_int", zero}});
  const std::string at = net.Add("Cast", {number}, {{"to", std::int64_t{zero < 0 ? 3 : 2}}});
  const std::string bytes = net.Add("QuantizeLinear", {x, step, at});
  return net.Add("DequantizeLinear", {bytes, step, at});
}

/// The pass has `count` tables, and answers are the same to the bit.
void ExpectTables(const Net& net, const std::string& output, std::int64_t count) {
  const Model model = ParseModel(net.Model({output}));
  const Feeds feeds = {{"x", Random({3, 5, 70}, 1)}};
  const Ran without = RunWith(model, feeds, {.enabled = false});
  const Ran with = RunWith(model, feeds, {});
  EXPECT_EQ(with.changes.at("tabulate_quantized"), count);
  const auto a = FloatsOf(without.outputs[0]), b = FloatsOf(with.outputs[0]);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i], b[i]) << i;
  const Ran strict = RunWith(model, feeds, {.choice = {.strict = true}});
  EXPECT_EQ(strict.changes.at("tabulate_quantized"), 0);
}

TEST(TabulateQuantized, FunctionsOfEachElement) {
  for (const char* const type : {"HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Relu", "LeakyRelu",
                                 "Erf", "Exp", "Abs", "Softplus"}) {
    for (const std::int64_t zero : {std::int64_t{131}, std::int64_t{-9}}) {
      SCOPED_TRACE(std::string(type) + " " + std::to_string(zero));
      Net net(1);
      const std::string y = net.Add(type, {Quantised(net, "x", 0.03F, zero)});
      ExpectTables(net, Quantised(net, y, 0.011F, 7), 1);
    }
  }
}

TEST(TabulateQuantized, AttributesAndParameters) {
  Net net(2);
  const auto number = [&](float value) {
    return net.Add("Constant", {}, {{"value_float", value}});
  };
  std::string v = Quantised(net, "x", 0.03F, 131);
  v = Quantised(net, net.Add("HardSigmoid", {v}, {{"alpha", 0.3F}, {"beta", 0.4F}}), 0.01F, 3);
  v = Quantised(net, net.Add("Clip", {v, number(0.25F), number(0.75F)}), 0.02F, -5);
  v = Quantised(net, net.Add("PRelu", {v, number(0.7F)}), 0.02F, 5);
  ExpectTables(net, v, 3);
}

TEST(TabulateQuantized, OtherNodesStay) {
  Net net(3);
  const std::string x = Quantised(net, "x", 0.03F, 131);
  const std::string used = net.Add("Sigmoid", {x});  // as numbers, too
  std::string v = net.Add("Add", {used, Quantised(net, used, 0.01F, 3)});
  v = net.Add("Sub", {v, Quantised(net, net.Add("Tanh", {"x"}), 0.01F, 3)});
  ExpectTables(net, Quantised(net, net.Add("Softmax", {x}), 0.01F, 3), 0);
  ExpectTables(net, v, 0);
}

}  // namespace
}  // namespace slipway::runtime
