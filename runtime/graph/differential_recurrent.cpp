// SPDX-License-Identifier: Apache-2.0
// Derivatives of RNN, GRU and LSTM: those of a Scan over the steps that does the same.
#include "runtime/graph/differential.h"
#include "runtime/kernels/recurrent.h"

namespace slipway::runtime {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr int kScanOpset = 20;  ///< of the nodes that are put down

Term Turned(const Term& a, Numbers order) {
  return a.tape->Op("Transpose", {a}, {{"perm", std::move(order)}});
}

Terms Parts(const Term& a, std::int64_t count, std::int64_t axis) {
  return a.tape->Ops("Split", {a}, static_cast<std::size_t>(count),
                     {{"num_outputs", count}, {"axis", axis}});
}

/// What each direction has of an input; nothing of one that is left out.
Terms ByDirection(const Term& a, std::int64_t directions) {
  if (!a) return Terms(static_cast<std::size_t>(directions));
  Terms parts = Parts(a, directions, 0);
  for (Term& part : parts) part = a.tape->Op("Squeeze", {part, a.tape->Ints({0})});
  return parts;
}

/// Directions side by side along a new axis.
Term Together(Terms directions, std::int64_t axis) {
  Tape& tape = *directions.front().tape;
  for (Term& each : directions) each = tape.Op("Unsqueeze", {each, tape.Ints({axis})});
  return tape.Op("Concat", directions, {{"axis", axis}});
}

Term Applied(const GateFunction& function, const Term& x) {
  using Kind = GateFunction::Kind;
  Tape& tape = *x.tape;
  const auto alpha = static_cast<float>(function.alpha), beta = static_cast<float>(function.beta);
  switch (function.kind) {
    case Kind::kRelu:
      return tape.Op("Relu", {x});
    case Kind::kTanh:
      return tape.Op("Tanh", {x});
    case Kind::kSigmoid:
      return tape.Op("Sigmoid", {x});
    case Kind::kAffine:
      return function.beta + function.alpha * x;
    case Kind::kLeakyRelu:
      return tape.Op("LeakyRelu", {x}, {{"alpha", alpha}});
    case Kind::kThresholdedRelu:
      return tape.Op("ThresholdedRelu", {x}, {{"alpha", alpha}});
    case Kind::kScaledTanh:
      return function.alpha * tape.Op("Tanh", {function.beta * x});
    case Kind::kHardSigmoid:
      return tape.Op("HardSigmoid", {x}, {{"alpha", alpha}, {"beta", beta}});
    case Kind::kElu:
      return tape.Op("Elu", {x}, {{"alpha", alpha}});
    case Kind::kSoftsign:
      return tape.Op("Softsign", {x});
    case Kind::kSoftplus:
      return tape.Op("Softplus", {x});
  }
  return x;
}

/// Weights of a direction; biases and peepholes may be none.
struct Weights {
  Term w, r, w_bias, r_bias, peepholes;
};

/// One step of a direction. `sums`: what the gates get from the input, with its bias.
class Step {
 public:
  Step(const Recurrence& net, const Weights& weights, const GateFunction* functions, Term h, Term c)
      : net_(net), functions_(functions), h_(std::move(h)), c_(std::move(c)) {
    Tape& tape = *h_.tape;
    r_ = Turned(tape.Value(weights.r.name), {1, 0});
    if (weights.r_bias) bias_ = tape.Value(weights.r_bias.name);
    if (weights.peepholes) peepholes_ = Parts(tape.Value(weights.peepholes.name), 3, 0);
  }

  /// Gives the states after it: h, and c of LSTM.
  Terms Run(const Term& sums) const {
    if (net_.gates == 4) return Lstm(Parts(sums + Recurrent(h_, r_, bias_), 4, -1));
    if (net_.gates == 3) return Gru(Parts(sums, 3, -1));
    return {Gate(0, sums + Recurrent(h_, r_, bias_))};
  }

 private:
  static Term Recurrent(const Term& h, const Term& r, const Term& bias) {
    return Sum(h.tape->Op("MatMul", {h, r}), bias);
  }

  Term Gate(std::size_t function, const Term& sum) const {
    const auto bound = [&](double limit) { return sum.tape->Number(limit, sum); };
    const bool clips = net_.clip >= 0;
    return Applied(functions_[function],
                   clips ? sum.tape->Op("Clip", {sum, bound(-net_.clip), bound(net_.clip)}) : sum);
  }
  Term Peeping(const Term& sum, std::size_t gate, const Term& cell) const {
    return peepholes_.empty() ? sum : sum + peepholes_[gate] * cell;
  }

  /// Gates in their order: input, output, forget, cell.
  Terms Lstm(const Terms& sums) const {
    const Term input = Gate(0, Peeping(sums[0], 0, c_));
    const Term forget = net_.input_forget ? 1.0 - input : Gate(0, Peeping(sums[2], 2, c_));
    const Term cell = forget * c_ + input * Gate(1, sums[3]);
    const Term output = Gate(0, Peeping(sums[1], 1, cell));
    return {output * Applied(functions_[2], cell), cell};
  }

  /// Gates in their order: update, reset, hidden.
  Terms Gru(const Terms& sums) const {
    const Terms r = Parts(r_, 3, 1);
    const Terms bias = bias_ ? Parts(bias_, 3, 0) : Terms(3);
    const Term reset = Gate(0, sums[1] + Recurrent(h_, r[1], bias[1]));
    const Term carried = net_.linear_before_reset ? reset * Recurrent(h_, r[2], bias[2])
                                                  : Recurrent(reset * h_, r[2], bias[2]);
    const Term hidden = Gate(1, sums[2] + carried);
    const Term update = Gate(0, sums[0] + Recurrent(h_, r[0], bias[0]));
    return {(1.0 - update) * hidden + update * h_};
  }

  const Recurrence& net_;
  const GateFunction* functions_;
  Term h_, c_, r_, bias_;
  Terms peepholes_;
};

/// A node written as Scans over its steps.
class Spelling {
 public:
  Spelling(const BackStep& s, const Recurrence& net) : s_(s), tape_(s.tape), net_(net) {}

  /// The node's outputs.
  Terms Outputs() {
    x_ = net_.batch_first ? Turned(s_.x(), {1, 0, 2}) : s_.x();
    if (s_.Input(4)) mask_ = Mask();
    const Terms w = Each(1), r = Each(2), bias = Each(3), peepholes = Each(7);
    const Terms h = States(5), c = States(6);
    Terms all_y, all_h, all_c;
    for (std::size_t d = 0; d < w.size(); ++d) {
      Weights weights{.w = w[d], .r = r[d], .w_bias = {}, .r_bias = {}, .peepholes = peepholes[d]};
      if (bias[d]) {
        const Terms both = Parts(bias[d], 2, 0);
        weights.w_bias = both[0];
        weights.r_bias = both[1];
      }
      Terms states = {h[d]};
      if (net_.gates == 4) states.push_back(c[d]);
      const Terms made = Line(d, weights, std::move(states));
      all_h.push_back(made[0]);
      if (net_.gates == 4) all_c.push_back(made[1]);
      all_y.push_back(made.back());
    }
    Term y = Together(all_y, 1);
    if (net_.batch_first) y = Turned(y, {2, 0, 1, 3});
    Terms outputs = {y, AsGiven(Together(all_h, 0))};
    if (net_.gates == 4) outputs.push_back(AsGiven(Together(all_c, 0)));
    return outputs;
  }

 private:
  Terms Each(std::size_t input) { return ByDirection(s_.Input(input), net_.directions); }
  Term AsGiven(const Term& states) const {
    return net_.batch_first ? Turned(states, {1, 0, 2}) : states;
  }
  /// Initial states of each direction: [batch, hidden].
  Terms States(std::size_t input) {
    const Term given = s_.Input(input);
    if (given) return ByDirection(AsGiven(given), net_.directions);
    const Term shape = Join(tape_, {Part(ShapeOf(x_), 1, 2), Part(ShapeOf(s_.in[2]), 2)});
    const Term zeros = tape_.Op("Expand", {tape_.Number(0, x_), shape});
    return Terms(static_cast<std::size_t>(net_.directions), zeros);
  }
  /// Which steps are an item's own: [steps, batch, 1].
  Term Mask() {
    const Term lengths = tape_.Op("Cast", {s_.Input(4)}, {{"to", std::int64_t{7}}});
    const Term count = tape_.Op("Squeeze", {Part(ShapeOf(x_), 0, 1)});
    const Term steps = tape_.Op("Range", {tape_.Int(0), count, tape_.Int(1)});
    const Term column = tape_.Op("Unsqueeze", {steps, tape_.Ints({1, 2})});
    return tape_.Op("Less", {column, tape_.Op("Unsqueeze", {lengths, tape_.Ints({1})})});
  }

  /// A direction: its last states, and what h was at each step.
  Terms Line(std::size_t direction, const Weights& weights, Terms states) {
    const bool reversed = net_.first_reversed || direction == 1;
    const Term sums = Sum(tape_.Op("MatMul", {x_, Turned(weights.w, {1, 0})}), weights.w_bias);
    MadeNode scan{.type = "Scan", .opset = kScanOpset};
    scan.bodies["body"] = std::make_shared<const MadeGraph>(Body(direction, weights));
    scan.outputs.assign(states.size() + 1, "y");
    states.push_back(sums);
    if (mask_) states.push_back(mask_);
    for (const Term& state : states) scan.inputs.push_back(state.name);
    const Numbers directions(mask_ ? 2 : 1, reversed ? 1 : 0);
    scan.attributes.Set("num_scan_inputs", static_cast<std::int64_t>(directions.size()));
    scan.attributes.Set("scan_input_directions", directions);
    scan.attributes.Set("scan_output_directions", Numbers{reversed ? 1 : 0});
    return tape_.Copy(std::move(scan));
  }

  /// Beyond an item's own steps its states stay, and what is given is zero.
  MadeGraph Body(std::size_t direction, const Weights& weights) {
    Tape inner(tape_.effort());
    Terms inputs = {inner.Fresh()};
    if (net_.gates == 4) inputs.push_back(inner.Fresh());
    const Terms before = inputs;
    inputs.push_back(inner.Fresh());
    const GateFunction* functions =
        net_.activations.data() + direction * static_cast<std::size_t>(net_.functions);
    const Step step(net_, weights, functions, before.front(), before.back());
    Terms outputs = step.Run(inputs.back());
    outputs.push_back(outputs.front());
    if (mask_) {
      inputs.push_back(inner.Fresh());
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        const Term otherwise = i < before.size() ? before[i] : inner.Number(0, outputs[i]);
        outputs[i] = inner.Op("Where", {inputs.back(), outputs[i], otherwise});
      }
    }
    return inner.Graph(inputs, outputs);
  }

  const BackStep& s_;
  Tape& tape_;
  const Recurrence& net_;
  Term x_;     ///< [steps, batch, inputs]
  Term mask_;  ///< none where all items are as long
};

Result<Terms> Recurrent(const BackStep& s) {
  const Recurrence net = TRY(RecurrenceOf(s.node.type, s.node.attributes));
  const std::size_t begin = s.tape.size();
  return BackThrough(s, begin, Spelling(s, net).Outputs());
}

}  // namespace

RuleTable RecurrentRules() { return {{"GRU", Recurrent}, {"LSTM", Recurrent}, {"RNN", Recurrent}}; }

}  // namespace slipway::runtime
