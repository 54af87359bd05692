// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/recurrent.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "base/text.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

struct NamedFunction {
  std::string_view name;
  GateFunction::Kind kind;
  double alpha, beta;
  bool has_alpha, has_beta;
};

using Kind = GateFunction::Kind;
constexpr NamedFunction kFunctions[] = {
    {"relu", Kind::kRelu, 0, 0, false, false},
    {"tanh", Kind::kTanh, 0, 0, false, false},
    {"sigmoid", Kind::kSigmoid, 0, 0, false, false},
    {"affine", Kind::kAffine, 1, 0, true, true},
    {"leakyrelu", Kind::kLeakyRelu, 0.01, 0, true, false},
    {"thresholdedrelu", Kind::kThresholdedRelu, 1, 0, true, false},
    {"scaledtanh", Kind::kScaledTanh, 1, 1, true, true},
    {"hardsigmoid", Kind::kHardSigmoid, 0.2, 0.5, true, true},
    {"elu", Kind::kElu, 1, 0, true, false},
    {"softsign", Kind::kSoftsign, 0, 0, false, false},
    {"softplus", Kind::kSoftplus, 0, 0, false, false},
};

/// What the operator's type fixes.
void SetType(std::string_view type, Recurrence& r) {
  r.gates = type == "LSTM" ? 4 : type == "GRU" ? 3 : 1;
  r.functions = type == "LSTM" ? 3 : type == "GRU" ? 2 : 1;
}

std::vector<std::string> DefaultNames(const Recurrence& r) {
  std::vector<std::string> names;
  for (std::int64_t d = 0; d < r.directions; ++d) {
    if (r.functions > 1) names.emplace_back("Sigmoid");
    names.insert(names.end(), r.functions == 3 ? 2 : 1, "Tanh");
  }
  return names;
}

Result<void> ReadActivations(const Attributes& attributes, Recurrence& r) {
  const auto given = attributes.Strings("activations");
  std::vector<std::string> names(given.begin(), given.end());
  const auto wanted = At(r.functions * r.directions);
  if (r.functions == 1 && names.size() > wanted) names.resize(wanted);
  if (names.empty()) names = DefaultNames(r);
  if (names.size() != wanted) {
    return Invalid("attribute `activations` has ", names.size(), " names, not ", wanted);
  }
  const auto alphas = attributes.Floats("activation_alpha");
  const auto betas = attributes.Floats("activation_beta");
  std::size_t alpha = 0;
  std::size_t beta = 0;
  for (const std::string& name : names) {
    const std::string lower = ToLower(name);
    const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                     [&](const NamedFunction& f) { return f.name == lower; });
    if (found == std::end(kFunctions)) return Invalid("activation `", name, "` is not known");
    GateFunction function{found->kind, found->alpha, found->beta};
    if (found->has_alpha && alpha < alphas.size()) function.alpha = alphas[alpha++];
    if (found->has_beta && beta < betas.size()) function.beta = betas[beta++];
    r.activations.push_back(function);
  }
  return {};
}

Result<void> CheckInput(const NodeFacts& node, std::size_t index, std::string_view name,
                        const Shape& want) {
  if (!node.Has(index) || node.shape(index) == want) return {};
  return Invalid("input `", name, "` of ", node.shape(index), " is not ", want);
}

Result<void> CheckInputs(const NodeFacts& node, const Recurrence& r) {
  const std::int64_t rows = TRY(CheckedMul(r.gates, r.hidden, "the hidden size"));
  TRY(CheckInput(node, 1, "W", {r.directions, rows, r.inputs}));
  TRY(CheckInput(node, 2, "R", {r.directions, rows, r.hidden}));
  TRY(CheckInput(node, 3, "B", {r.directions, 2 * rows}));
  TRY(CheckInput(node, 4, "sequence_lens", {r.batch}));
  TRY(CheckInput(node, 5, "initial_h", r.state_shape()));
  TRY(CheckInput(node, 6, "initial_c", r.state_shape()));
  return CheckInput(node, 7, "P", {r.directions, 3 * r.hidden});
}

}  // namespace

double GateFunction::operator()(double x) const {
  switch (kind) {
    case Kind::kRelu:
      return x < 0 ? 0 : x;
    case Kind::kTanh:
      return std::tanh(x);
    case Kind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Kind::kAffine:
      return alpha * x + beta;
    case Kind::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Kind::kThresholdedRelu:
      return x > alpha ? x : 0;
    case Kind::kScaledTanh:
      return alpha * std::tanh(beta * x);
    case Kind::kHardSigmoid:
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    case Kind::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case Kind::kSoftsign:
      return x / (1 + std::abs(x));
    case Kind::kSoftplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

Shape Recurrence::y_shape() const {
  if (batch_first) return {batch, steps, directions, hidden};
  return {steps, directions, batch, hidden};
}

Shape Recurrence::state_shape() const {
  if (batch_first) return {batch, directions, hidden};
  return {directions, batch, hidden};
}

Result<Recurrence> RecurrenceOf(std::string_view type, const Attributes& attributes) {
  Recurrence r;
  SetType(type, r);
  const std::string_view direction = attributes.String("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional" &&
      direction != "foward") {
    return Invalid("attribute `direction` is `", direction, "`");
  }
  r.directions = direction == "bidirectional" ? 2 : 1;
  r.first_reversed = direction == "reverse";
  r.batch_first = attributes.Int("layout", 0) != 0;
  r.input_forget = attributes.Int("input_forget", 0) != 0;
  r.linear_before_reset = attributes.Int("linear_before_reset", 0) != 0;
  if (attributes.Has("clip")) r.clip = attributes.Float("clip", 0);
  TRY(ReadActivations(attributes, r));
  return r;
}

Result<Recurrence> RecurrenceOf(const NodeFacts& node) {
  Recurrence r = TRY(RecurrenceOf(node.op->type, node.attributes));
  const Shape& x = node.shape(0);
  const Shape& recurrent = node.shape(2);
  if (x.size() != 3) return Invalid("input `X` of ", x, " has not three dimensions");
  if (recurrent.size() != 3)
    return Invalid("input `R` of ", recurrent, " has not three dimensions");
  r.steps = x[r.batch_first ? 1 : 0];
  r.batch = x[r.batch_first ? 0 : 1];
  r.inputs = x[2];
  r.hidden = node.attributes.Int("hidden_size", recurrent[2]);
  if (r.hidden != recurrent[2]) {
    return Invalid("attribute `hidden_size` is ", r.hidden, ", input `R` has ", recurrent[2]);
  }
  TRY(CheckInputs(node, r));
  return r;
}

}  // namespace slipway::runtime
