// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/fold.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using Names = std::set<std::string>;

/// What a Fold does in reverse. Its states are gradients: of the states, and sums of those of what
/// the body captures; its items what each trip began with and took, and gradients of what it gave.
class FoldBack {
 public:
  /// `gradient`: of the states and sequences that the Fold gives; `active`: names in its body.
  FoldBack(Tape& tape, const Fold& fold, const Terms& gradient, const Names& active)
      : tape_(tape), fold_(fold), gradient_(gradient), active_(active), inner_(tape.effort()) {}

  /// The gradients of states, items and what the body captures, in this order.
  Result<Terms> Run();

 private:
  /// What the reverse goes through: its name inside, and the sequence; none of what trips begin
  /// with, until that is kept.
  struct Item {
    Term inside, sequence;
    std::string begun = {};  ///< the forward body's name of it
  };

  std::size_t states() const { return fold_.states.size(); }
  Term Given(std::size_t output) const {
    return output < gradient_.size() ? gradient_[output] : Term{};
  }
  Result<Gradients> BackThroughTrip();
  void CarryStates(Gradients& found);
  void CarryCaptures(const Gradients& found);
  void GiveItems(Gradients& found);
  void LeaveUnused();
  void KeepWhatTripsBeginWith();
  Terms Results(const Terms& made) const;

  Tape& tape_;
  const Fold& fold_;
  const Terms& gradient_;
  const Names& active_;
  Tape inner_;                          ///< of a trip back
  Terms inside_;                        ///< the forward body's inputs
  std::map<std::size_t, Term> coming_;  ///< inside: gradients of the states after the trip
  Terms inputs_, outputs_;              ///< of the trip back, without items
  std::vector<Item> items_;
  Terms last_;                        ///< the states after the last trip
  std::vector<std::size_t> results_;  ///< of what each further output is the gradient
};

/// The forward body runs again, on items. `inside_[1]`, its condition, held at every trip's begin.
Result<Gradients> FoldBack::BackThroughTrip() {
  for (std::size_t i = 0; i < fold_.body.inputs.size(); ++i) {
    inside_.push_back(inner_.Fresh());
    const std::size_t first = 2 + states();
    if (i >= first) {
      items_.push_back({inside_[i], fold_.items[i - first]});
    } else if (i != 1) {
      items_.push_back({inside_[i], {}, fold_.body.inputs[i].name});
    }
  }
  const Terms made = inner_.Run(fold_.body, inside_);
  const std::vector<MadeNode> nodes = inner_.Since(0);
  Gradients gradients;
  for (std::size_t i = 0; i + 1 < made.size(); ++i) {
    const bool carried = i < states() && active_.contains(fold_.body.inputs[2 + i].name);
    if (!carried && (i < states() || !Given(i))) continue;
    const Term gradient = inner_.Fresh();
    if (carried) {
      coming_[i] = gradient;
    } else {
      items_.push_back({gradient, Given(i)});
    }
    Term& sum = gradients[made[1 + i].name];
    sum = Sum(sum, gradient);
  }
  Names variables(fold_.body.captures.begin(), fold_.body.captures.end());
  std::erase_if(variables, [&](const std::string& name) { return !active_.contains(name); });
  for (std::size_t i = 2; i < inside_.size(); ++i) {
    if (active_.contains(fold_.body.inputs[i].name)) variables.insert(inside_[i].name);
  }
  return Accumulate(inner_, nodes, std::move(gradients), variables);
}

void FoldBack::CarryStates(Gradients& found) {
  for (const auto& [state, gradient] : coming_) {
    const Term begun = inside_[2 + state];
    const Term before = found[begun.name];
    inputs_.push_back(gradient);
    outputs_.push_back(before ? before : Zeros(begun));
    results_.push_back(state);
  }
}

void FoldBack::CarryCaptures(const Gradients& found) {
  const auto& captures = fold_.body.captures;
  for (std::size_t i = 0; i < captures.size(); ++i) {
    const auto known = found.find(captures[i]);
    if (known == found.end()) continue;
    inputs_.push_back(inner_.Fresh());
    outputs_.push_back(inputs_.back() + known->second);
    results_.push_back(states() + fold_.items.size() + i);
  }
}

void FoldBack::GiveItems(Gradients& found) {
  for (std::size_t i = 0; i < fold_.items.size(); ++i) {
    const Term gradient = found[inside_[2 + states() + i].name];
    if (!gradient) continue;
    outputs_.push_back(gradient);
    results_.push_back(states() + i);
  }
}

/// The first item, the trip's number, stays: there are as many trips as items.
void FoldBack::LeaveUnused() {
  const Names used = UsedBy(inner_.Graph(inputs_, outputs_));
  const auto first = items_.begin() + 1;
  items_.erase(std::remove_if(first, items_.end(),
                              [&](const Item& item) { return !used.contains(item.inside.name); }),
               items_.end());
}

void FoldBack::KeepWhatTripsBeginWith() {
  Fold forward = fold_;
  forward.body.outputs.resize(1 + states());
  for (const Item& item : items_) {
    if (!item.begun.empty()) forward.body.outputs.push_back(Port(item.begun));
  }
  forward.body = Completed(std::move(forward.body));
  last_ = forward.Put(tape_);
  auto kept = last_.begin() + static_cast<std::ptrdiff_t>(states());
  for (Item& item : items_) {
    if (!item.begun.empty()) item.sequence = *kept++;
  }
}

Terms FoldBack::Results(const Terms& made) const {
  Terms results(states() + fold_.items.size() + fold_.body.captures.size());
  for (std::size_t i = 0; i < made.size(); ++i) results[results_[i]] = made[i];
  return results;
}

Result<Terms> FoldBack::Run() {
  TRY(MayRunAgain(fold_.body));
  Gradients found = TRY(BackThroughTrip());
  inputs_ = {inner_.Fresh(), inside_[1]};
  outputs_ = {inside_[1]};
  CarryStates(found);
  CarryCaptures(found);
  const std::size_t carried = results_.size();
  GiveItems(found);
  LeaveUnused();
  KeepWhatTripsBeginWith();
  Fold back{.reverse = !fold_.reverse};
  for (std::size_t i = 0; i < carried; ++i) {
    const std::size_t of = results_[i];
    if (of >= states()) {
      const std::size_t capture = of - states() - fold_.items.size();
      back.states.push_back(Zeros(tape_.Value(fold_.body.captures[capture])));
    } else {
      back.states.push_back(Given(of) ? Given(of) : Zeros(last_[of]));
    }
  }
  for (const Item& item : items_) {
    inputs_.push_back(item.inside);
    back.items.push_back(item.sequence);
  }
  back.body = inner_.Graph(inputs_, outputs_);
  return Results(back.Put(tape_));
}

}  // namespace

Terms Fold::Put(Tape& tape) const {
  MadeNode node{.type = "Fold", .domain = std::string(kPrivateDomain), .opset = 1};
  node.inputs = {trips.name, condition.name};
  for (const auto* terms : {&states, &items}) {
    for (const Term& term : *terms) node.inputs.push_back(term.name);
  }
  node.outputs.assign(body.outputs.size() - 1, "y");
  node.attributes.Set("states", static_cast<std::int64_t>(states.size()));
  node.attributes.Set("reverse", std::int64_t{reverse ? 1 : 0});
  node.bodies["body"] = std::make_shared<const MadeGraph>(body);
  return tape.Copy(std::move(node));
}

Result<Terms> BackThroughFold(Tape& tape, const Fold& fold, const Terms& gradient,
                              const std::set<std::string>& active) {
  return FoldBack(tape, fold, gradient, active).Run();
}

Term SumOfItems(const Term& a, const Term& b) {
  Tape inner(a.tape->effort());
  const Term trip = inner.Fresh(), condition = inner.Fresh(), x = inner.Fresh(), y = inner.Fresh();
  const Fold sum{.body = inner.Graph({trip, condition, x, y}, {condition, x + y}), .items = {a, b}};
  return sum.Put(*a.tape).front();
}

}  // namespace slipway::runtime
