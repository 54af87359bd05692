// SPDX-License-Identifier: Apache-2.0
// If, where the condition is known from constants and shapes: the nodes of the branch that is taken
// come in its place. Values keep their names, by which graphs further inside know them.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr int kIdentityOpset = 25;

std::size_t At(ValueId id) { return static_cast<std::size_t>(id); }

/// The branch that the node runs every time; null where that is not known.
std::shared_ptr<const GraphData> BranchOf(const Rewriter& graph, std::size_t index) {
  const NodeData& node = graph.node(index);
  if (!node.domain.empty() || node.type != "If") return nullptr;
  const Tensor* condition = graph.Constant(graph.Input(index, 0));
  if (condition == nullptr || condition->dtype() != DType::kBool || condition->size() != 1) {
    return nullptr;
  }
  const bool holds = condition->data<std::uint8_t>()[0] != 0;
  const Attribute* branch = node.attributes.Find(holds ? "then_branch" : "else_branch");
  const auto* taken = std::get_if<std::shared_ptr<const GraphData>>(branch);
  const bool fits = taken != nullptr && (*taken)->outputs.size() >= node.outputs.size();
  return fits ? *taken : nullptr;
}

using Names = std::set<std::string>;

/// One branch on its way into the graph around it, whose nodes have these names.
class Branch {
 public:
  Branch(Rewriter& graph, std::size_t index, const GraphData& branch, Names& names)
      : graph_(graph),
        index_(index),
        branch_(branch),
        names_(names),
        name_(graph.node(index).name),
        outputs_(graph.node(index).outputs) {}

  Result<void> Take() {
    MapCaptures();
    const std::map<ValueId, ValueId> given = Given();
    graph_.Remove(index_);
    for (std::size_t i = 0; i < branch_.values.size(); ++i) {
      const GraphValue& value = branch_.values[i];
      if (value.is_constant()) {
        here_[i] = graph_.AddConstant(value.name, value.constant);
      } else if (here_[i] == kNoValue) {
        const auto found = given.find(static_cast<ValueId>(i));
        here_[i] = found == given.end() ? graph_.AddResult(value.name) : found->second;
      }
    }
    for (const NodeData& node : branch_.nodes) TRY(Insert(node));
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      const ValueId from = here_[At(branch_.outputs[k])];
      if (outputs_[k] != kNoValue && outputs_[k] != from) TRY(Hand(from, outputs_[k]));
    }
    return {};
  }

 private:
  void MapCaptures() {
    here_.assign(branch_.values.size(), kNoValue);
    std::map<std::string_view, ValueId> outer;
    for (ValueId id : graph_.node(index_).captures) {
      outer.emplace(graph_.graph().values[At(id)].name, id);
    }
    for (ValueId id : branch_.captures) {
      const auto found = outer.find(branch_.values[At(id)].name);
      SLIPWAY_CHECK(found != outer.end());
      here_[At(id)] = found->second;
    }
  }

  /// Values that a node of the branch makes as an output of the If at once. Not those that graphs
  /// further inside know by their names.
  std::map<ValueId, ValueId> Given() const {
    std::vector<bool> made(branch_.values.size(), false);
    for (const NodeData& node : branch_.nodes) {
      for (ValueId id : node.outputs) {
        if (id != kNoValue) made[At(id)] = true;
      }
    }
    for (const NodeData& node : branch_.nodes) {
      for (ValueId id : node.captures) made[At(id)] = false;
    }
    std::map<ValueId, ValueId> given;
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      const ValueId inside = branch_.outputs[k];
      if (outputs_[k] != kNoValue && made[At(inside)]) given.emplace(inside, outputs_[k]);
    }
    return given;
  }

  std::vector<ValueId> Here(const std::vector<ValueId>& ids) const {
    std::vector<ValueId> here;
    for (ValueId id : ids) here.push_back(id == kNoValue ? kNoValue : here_[At(id)]);
    return here;
  }

  Result<void> Insert(NodeData node) {
    node.inputs = Here(node.inputs);
    node.outputs = Here(node.outputs);
    node.captures = Here(node.captures);
    if (!names_.insert(node.name).second) {
      node.name = name_ + "/" + node.name;
      names_.insert(node.name);
    }
    return graph_.Insert(index_, std::move(node));
  }

  Result<void> Hand(ValueId from, ValueId to) {
    return graph_.Insert(index_, {.name = graph_.graph().values[At(to)].name + "/branch",
                                  .type = "Identity",
                                  .opset = kIdentityOpset,
                                  .inputs = {from},
                                  .outputs = {to}});
  }

  Rewriter& graph_;
  std::size_t index_;
  const GraphData& branch_;
  Names& names_;
  std::string name_;              // of the If
  std::vector<ValueId> outputs_;  // of the If
  std::vector<ValueId> here_;     // by value of the branch
};

Result<int> Run(Rewriter& graph) {
  Names names;
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const auto branch = BranchOf(graph, i);
    if (branch == nullptr) return false;
    for (std::size_t k = 0; names.empty() && k < graph.size(); ++k) {
      names.insert(graph.node(k).name);
    }
    TRY(Branch(graph, i, *branch, names).Take());
    return true;
  });
}

}  // namespace

Pass passes_take_known_branches() {
  return {.stage = 100,
          .summary = "puts the branch that is taken in the place of an If",
          .per_plan = true,
          .renews_facts = true,
          .run = Run};
}

}  // namespace slipway::runtime
