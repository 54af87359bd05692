// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

constexpr float kError = 4e-6F;

struct Function {
  std::string type;
  std::vector<tiny::Attribute> attributes = {};
};

TEST(FuseConvActivation, AppliesEveryActivation) {
  const std::vector<Function> functions = {{"Relu"},
                                           {"Sigmoid"},
                                           {"Tanh"},
                                           {"HardSwish"},
                                           {"Swish", {{"alpha", 1.2F}}},
                                           {"Gelu"},
                                           {"Gelu", {{"approximate", "tanh"}}},
                                           {"LeakyRelu", {{"alpha", 0.3F}}},
                                           {"Elu", {{"alpha", 0.7F}}},
                                           {"HardSigmoid", {{"alpha", 0.3F}, {"beta", 0.4F}}}};
  // By oneDNN, and by kernels of our own: every channel by itself, few channels of output.
  const std::vector<Net::Conv> convolutions = {
      {.in = 16, .out = 32}, {.in = 16, .out = 16, .group = 16}, {.in = 16, .out = 3}};
  for (const Net::Conv& conv : convolutions) {
    for (const auto& [type, attributes] : functions) {
      SCOPED_TRACE(type);
      Net net(1);
      const std::string y = net.Add(type, {net.Convolve("x", conv)}, attributes);
      for (const bool reference : {false, true}) {
        ExpectPass(net.Model({y}, 24), {{"x", Random({2, 16, 18, 20}, 1)}}, "fuse_conv_activation",
                   1, kError, {.choice = {.reference = reference}});
      }
    }
  }
}

}  // namespace
}  // namespace slipway::runtime
