// SPDX-License-Identifier: Apache-2.0
// Derivatives of RNN, GRU and LSTM, against differences of the function itself.
#include <gtest/gtest.h>

#include "tests/runtime/graph/gradient_case.h"

namespace slipway::runtime::gradient {
namespace {

using tiny::Floats;
using tiny::Ints;
using tiny::Texts;

constexpr std::int64_t kSteps = 3, kBatch = 2, kInputs = 2, kHidden = 3;

/// What a case has besides X, W and R.
struct Extras {
  bool bias = false, lengths = false, states = false, peepholes = false;
};

std::int64_t GatesOf(const std::string& type) { return type == "LSTM" ? 4 : type == "GRU" ? 3 : 1; }

/// Y and the last states, as one number each, of a net with these inputs.
Case Net(const std::string& type, const std::string& name, std::vector<tiny::Attribute> attributes,
         Extras extras, std::int64_t directions = 1, bool batch_first = false) {
  const std::int64_t rows = GatesOf(type) * kHidden;
  const bool is_lstm = type == "LSTM";
  Case each{type + " " + name, {}, {}};
  Texts inputs;
  const auto add = [&](bool given, Shape shape) {
    inputs.push_back(given ? "x" + std::to_string(each.shapes.size()) : "");
    if (given) each.shapes.push_back(std::move(shape));
  };
  const Shape state =
      batch_first ? Shape{kBatch, directions, kHidden} : Shape{directions, kBatch, kHidden};
  add(true, batch_first ? Shape{kBatch, kSteps, kInputs} : Shape{kSteps, kBatch, kInputs});
  add(true, {directions, rows, kInputs});
  add(true, {directions, rows, kHidden});
  add(extras.bias, {directions, 2 * rows});
  inputs.emplace_back(extras.lengths ? "lengths" : "");
  add(extras.states, state);
  if (is_lstm) add(extras.states, state);
  if (is_lstm) add(extras.peepholes, {directions, 3 * kHidden});
  if (extras.lengths) {
    each.nodes = {IntList("numbers", {kSteps, kSteps - 2}),
                  {"Cast", {"numbers"}, {"lengths"}, {{"to", std::int64_t{6}}}}};
  }
  attributes.push_back({"hidden_size", kHidden});
  if (batch_first) attributes.push_back({"layout", std::int64_t{1}});
  Texts outputs = {"all", "last"};
  if (is_lstm) outputs.emplace_back("cell");
  each.nodes.push_back({type, inputs, outputs, std::move(attributes)});
  each.nodes.push_back({"ReduceSumSquare", {"last"}, {"sum"}});
  each.nodes.push_back({"ReduceSum", {is_lstm ? "cell" : "last"}, {"other"}});
  each.nodes.push_back({"Mul", {"sum", "other"}, {"ends"}});
  each.nodes.push_back({"Squeeze", {"ends"}, {"end"}});
  each.nodes.push_back({"Add", {"all", "end"}, {"y"}});
  return each;
}

/// Activations of RNN that take what alpha and beta give.
Case Activated(const std::string& function, Floats alpha = {}, Floats beta = {}) {
  std::vector<tiny::Attribute> attributes = {{"activations", Texts{function}}};
  if (!alpha.empty()) attributes.push_back({"activation_alpha", std::move(alpha)});
  if (!beta.empty()) attributes.push_back({"activation_beta", std::move(beta)});
  return Net("RNN", function, std::move(attributes), {.states = true});
}

}  // namespace

std::vector<Case> RecurrentCases() {
  const tiny::Attribute both{"direction", "bidirectional"}, reverse{"direction", "reverse"};
  const tiny::Attribute clip{"clip", 0.7F};
  std::vector<Case> cases;
  for (const std::string type : {"RNN", "GRU", "LSTM"}) {
    cases.push_back(Net(type, "plain", {}, {}));
    cases.push_back(Net(type, "reverse", {reverse}, {.bias = true, .lengths = true}));
    cases.push_back(
        Net(type, "both ways", {both}, {.bias = true, .lengths = true, .states = true}, 2));
    cases.push_back(Net(type, "batches first", {both, clip},
                        {.bias = true, .states = true, .peepholes = true}, 2, true));
  }
  cases.push_back(Net("GRU", "linear before reset", {{"linear_before_reset", std::int64_t{1}}},
                      {.bias = true, .states = true}));
  cases.push_back(Net("LSTM", "of coupled gates", {{"input_forget", std::int64_t{1}}},
                      {.states = true, .peepholes = true}));
  cases.push_back(Net("LSTM", "of other functions",
                      {{"activations", Texts{"HardSigmoid", "Softsign", "Affine"}},
                       {"activation_alpha", Floats{0.3F, 0.8F}},
                       {"activation_beta", Floats{0.4F, -0.1F}}},
                      {.bias = true, .lengths = true, .states = true, .peepholes = true}));
  cases.push_back(Net("LSTM", "whose states begin alike", {}, {.states = true}));
  cases.back().nodes.front().inputs[6] = cases.back().nodes.front().inputs[5];
  cases.back().shapes.pop_back();
  for (const char* function : {"Relu", "Softplus", "Softsign", "Sigmoid"}) {
    cases.push_back(Activated(function));
  }
  for (const char* function : {"LeakyRelu", "ThresholdedRelu", "Elu"}) {
    cases.push_back(Activated(function, {0.4F}));
  }
  for (const char* function : {"ScaledTanh", "HardSigmoid", "Affine"}) {
    cases.push_back(Activated(function, {0.6F}, {0.3F}));
  }
  return cases;
}

TEST(GradientOfRecurrentNets, IsThatOfTheirSteps) {
  for (const Case& each : RecurrentCases()) Check(each);
}

}  // namespace slipway::runtime::gradient
