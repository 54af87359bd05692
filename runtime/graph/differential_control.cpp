// SPDX-License-Identifier: Apache-2.0
// Derivatives of nodes with graphs inside. A branch runs again and then back; Loop and Scan are
// Folds over sequences of the items of tensors.
#include <memory>
#include <utility>

#include "runtime/graph/dependence.h"
#include "runtime/graph/differential.h"
#include "runtime/graph/fold.h"
#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using Names = std::set<std::string>;

constexpr int kScanOpset = 20;  ///< of nodes that are put down here

std::shared_ptr<const MadeGraph> Shared(MadeGraph graph) {
  return std::make_shared<const MadeGraph>(std::move(graph));
}

/// The gradients of what a branch captures.
Result<Gradients> BackThroughBranch(const BackStep& s, Tape& tape, const std::string& name) {
  const MadeGraph& branch = *TRY(s.node.Body(name));
  TRY(MayRunAgain(branch));
  const Terms outputs = tape.Run(branch, {});
  const std::vector<MadeNode> nodes = tape.Since(0);
  return Accumulate(tape, nodes, GivenTo(s, outputs), VariablesOf(s));
}

Result<Terms> If(const BackStep& s) {
  Tape then_tape(s.tape.effort()), else_tape(s.tape.effort());
  Gradients then_found = TRY(BackThroughBranch(s, then_tape, "then_branch"));
  Gradients else_found = TRY(BackThroughBranch(s, else_tape, "else_branch"));
  MadeNode back{.type = "If", .opset = s.node.opset, .inputs = s.node.inputs};
  const std::vector<std::string> captures = CapturesOf(s.node);
  Terms then_outputs, else_outputs;
  for (const std::string& name : captures) {
    const Term from_then = then_found[name], from_else = else_found[name];
    if (!from_then && !from_else) continue;
    then_outputs.push_back(from_then ? from_then : Zeros(then_tape.Value(name)));
    else_outputs.push_back(from_else ? from_else : Zeros(else_tape.Value(name)));
  }
  back.outputs.assign(then_outputs.size(), "y");
  back.bodies["then_branch"] = Shared(then_tape.Graph({}, then_outputs));
  back.bodies["else_branch"] = Shared(else_tape.Graph({}, else_outputs));
  const Terms made = s.tape.Copy(std::move(back));
  Terms gradients(s.node.inputs.size());
  std::size_t next = 0;
  for (const std::string& name : captures) {
    gradients.push_back(then_found[name] || else_found[name] ? made[next++] : Term{});
  }
  return gradients;
}

/// The reverse of `fold`, which does what the node does.
Result<Terms> Back(const BackStep& s, const Fold& fold, const Terms& gradient) {
  const Names active = TRY(ActiveInTrips(s.tape.effort(), s.node, s.active));
  return BackThroughFold(s.tape, fold, gradient, active);
}

/// With no gradients for the inputs before states and items.
Terms AfterInputs(std::size_t count, const Terms& gradients) {
  Terms all(count);
  all.insert(all.end(), gradients.begin(), gradients.end());
  return all;
}

/// ItemsOf or StackOf.
Term Along(std::string_view type, const Terms& inputs, std::int64_t axis, bool reverse) {
  MadeNode node{.type = std::string(type), .domain = std::string(kPrivateDomain), .opset = 1};
  for (const Term& input : inputs) node.inputs.push_back(input.name);
  node.outputs = {"y"};
  node.attributes.Set("axis", axis);
  node.attributes.Set("reverse", std::int64_t{reverse ? 1 : 0});
  return inputs.front().tape->Copy(std::move(node)).front();
}

Term ItemsOf(const Term& a, std::int64_t axis, bool reverse) {
  return Along("ItemsOf", {a}, axis, reverse);
}

/// The reverse of ItemsOf(like, ...).
Term StackOf(const Term& items, const Term& like, std::int64_t axis, bool reverse) {
  return Along("StackOf", {items, like}, axis, reverse);
}

Result<Terms> Loop(const BackStep& s) {
  const TripLayout layout = TRY(TripLayoutOf(s.node));
  const MadeGraph& body = *TRY(s.node.Body("body"));
  Fold fold{.body = body, .trips = s.Input(0), .condition = s.Input(1)};
  Terms gradient;
  for (std::size_t i = 0; i < layout.states; ++i) {
    fold.states.push_back(s.in[layout.node_in + i]);
    gradient.push_back(s.Gradient(i));
  }
  for (std::size_t i = layout.states; i < s.gradient.size(); ++i) {
    gradient.push_back(s.gradient[i] ? ItemsOf(s.gradient[i], 0, false) : Term{});
  }
  return AfterInputs(s.in.size() - layout.states, TRY(Back(s, fold, gradient)));
}

Result<Terms> OfFold(const BackStep& s) {
  const TripLayout layout = TRY(TripLayoutOf(s.node));
  const MadeGraph& body = *TRY(s.node.Body("body"));
  Fold fold{.body = body, .trips = s.Input(0), .condition = s.Input(1)};
  fold.reverse = s.node.attributes.Int("reverse", 0) != 0;
  const auto states = s.in.begin() + static_cast<std::ptrdiff_t>(layout.node_in);
  const auto items = states + static_cast<std::ptrdiff_t>(layout.states);
  fold.states.assign(states, items);
  fold.items.assign(items, s.in.end());
  return AfterInputs(layout.node_in, TRY(Back(s, fold, s.gradient)));
}

Result<Terms> OfItems(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  return Terms{StackOf(s.g(), s.x(), attributes.Int("axis", 0), attributes.Int("reverse", 0) != 0)};
}

Result<Terms> OfStack(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  return Terms{ItemsOf(s.g(), attributes.Int("axis", 0), attributes.Int("reverse", 0) != 0)};
}

/// How a Scan goes through its inputs or outputs.
struct Tracks {
  std::vector<std::int64_t> axes, directions;

  Tracks(const BackStep& s, const std::string& side)
      : axes(s.node.attributes.Ints("scan_" + side + "_axes", {})),
        directions(s.node.attributes.Ints("scan_" + side + "_directions", {})) {}
  std::int64_t Axis(std::size_t i) const { return i < axes.size() ? axes[i] : 0; }
  bool IsReversed(std::size_t i) const { return i < directions.size() && directions[i] != 0; }
};

/// The body of a Scan as that of a Fold.
MadeGraph AsFoldBody(Tape& tape, MadeGraph body) {
  const ValueInfo trip = Port(tape.Fresh().name), condition = Port(tape.Fresh().name);
  body.inputs.insert(body.inputs.begin(), {trip, condition});
  body.outputs.insert(body.outputs.begin(), condition);
  return body;
}

/// A node that goes through the last `items` of its inputs.
Terms PutScan(Tape& tape, const Terms& inputs, std::int64_t items,
              std::shared_ptr<const MadeGraph> body, Tape::Settings settings = {}) {
  MadeNode node{.type = "Scan", .opset = kScanOpset};
  for (const Term& input : inputs) node.inputs.push_back(input.name);
  node.outputs.assign(body->outputs.size(), "y");
  node.attributes.Set("num_scan_inputs", items);
  for (auto& [name, value] : settings) node.attributes.Set(std::move(name), std::move(value));
  node.bodies["body"] = std::move(body);
  return tape.Copy(std::move(node));
}

/// `a` with zeros behind its steps, so that there are `length`.
Term Padded(const Term& a, const Term& length) {
  Tape& tape = *a.tape;
  const Term missing = length - Part(ShapeOf(a), 0, 1);
  const Term zeros =
      tape.Op("Expand", {tape.Number(0, a), Join(tape, {missing, Part(ShapeOf(a), 1)})});
  return Join(tape, {a, zeros});
}

/// The version that goes through batches, each as long as its input 0 says, as a Scan of Scans.
Result<Terms> ScanOfBatches(const BackStep& s) {
  const TripLayout layout = TRY(TripLayoutOf(s.node));
  const std::int64_t items = s.node.attributes.Int("num_scan_inputs", 0);
  const bool has_lengths = static_cast<bool>(s.Input(0));
  Tape inner(s.tape.effort());
  Terms whole, inputs;
  for (const Term& in : s.in) {
    if (!in) continue;
    whole.push_back(in);
    inputs.push_back(inner.Fresh());
  }
  Terms each(inputs.begin() + (has_lengths ? 1 : 0), inputs.end());
  const Term longest = Part(ShapeOf(each.back()), 0, 1);
  for (std::size_t i = layout.states; has_lengths && i < each.size(); ++i) {
    const Term length = inner.Op("Reshape", {inputs[0], inner.Ints({1})});
    each[i] = inner.Op("Slice", {each[i], inner.Ints({0}), length});
  }
  const std::vector<std::int64_t> none(static_cast<std::size_t>(items), 0);
  Terms outputs = PutScan(inner, each, items, s.node.bodies.at("body"),
                          {{"scan_input_directions", s.node.attributes.Ints("directions", none)}});
  for (std::size_t i = layout.states; has_lengths && i < outputs.size(); ++i) {
    outputs[i] = Padded(outputs[i], longest);
  }
  const std::size_t begin = s.tape.size();
  return BackThrough(s, begin,
                     PutScan(s.tape, whole, static_cast<std::int64_t>(whole.size()),
                             Shared(inner.Graph(inputs, outputs))));
}

Result<Terms> Scan(const BackStep& s) {
  if (s.node.opset < 9) return ScanOfBatches(s);
  const TripLayout layout = TRY(TripLayoutOf(s.node));
  const Tracks into(s, "input"), out_of(s, "output");
  const MadeGraph& body = *TRY(s.node.Body("body"));
  Fold fold{.body = AsFoldBody(s.tape, body)};
  Terms gradient;
  for (std::size_t i = 0; i < s.in.size(); ++i) {
    if (i < layout.states) {
      fold.states.push_back(s.in[i]);
    } else {
      const std::size_t k = i - layout.states;
      fold.items.push_back(ItemsOf(s.in[i], into.Axis(k), into.IsReversed(k)));
    }
  }
  for (std::size_t i = 0; i < s.gradient.size(); ++i) {
    const std::size_t k = i - layout.states;
    const bool is_whole = i >= layout.states && s.gradient[i];
    gradient.push_back(is_whole ? ItemsOf(s.gradient[i], out_of.Axis(k), out_of.IsReversed(k))
                                : s.gradient[i]);
  }
  Terms gradients = TRY(Back(s, fold, gradient));
  for (std::size_t i = layout.states; i < s.in.size(); ++i) {
    const std::size_t k = i - layout.states;
    if (!gradients[i]) continue;
    gradients[i] = StackOf(gradients[i], s.in[i], into.Axis(k), into.IsReversed(k));
  }
  return gradients;
}

}  // namespace

RuleTable ControlRules() {
  return {{"Fold", OfFold}, {"If", If},           {"Loop", Loop},
          {"Scan", Scan},   {"StackOf", OfStack}, {"ItemsOf", OfItems}};
}

}  // namespace slipway::runtime
