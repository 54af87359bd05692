// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/device/device.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/prepare.h"

namespace slipway::runtime {

/// A graph while passes rewrite it. Nodes stay sorted; removed ones and values nobody uses go
/// away in Finish. Not thread-safe.
class Rewriter {
 public:
  /// `facts`: of the values, in passes that run while planning; must outlive the rewriter.
  Rewriter(GraphData& graph, const KernelChoice& choice, DeviceContext& device,
           std::span<const ValueFacts> facts = {});

  GraphData& graph() { return graph_; }
  std::size_t size() const { return graph_.nodes.size(); }
  NodeData& node(std::size_t index) { return graph_.nodes[index]; }
  const NodeData& node(std::size_t index) const { return graph_.nodes[index]; }
  bool removed(std::size_t index) const { return removed_[index]; }

  /// The node that makes the value; -1 for inputs, constants and captures.
  std::int64_t Producer(ValueId id) const;
  /// How often nodes and outputs use the value, subgraphs included.
  std::int64_t Uses(ValueId id) const;
  /// The one node that uses the value, if only one does, once, and it is no output; else -1.
  std::int64_t OnlyUser(ValueId id) const;
  bool IsOutput(ValueId id) const;
  /// The elements of a constant; null if the value is none.
  const Tensor* Constant(ValueId id) const;
  /// What is known of a value's shape and type; null where passes run without.
  const ValueFacts* Facts(ValueId id) const;
  /// Input `index` of a node; kNoValue if it is absent.
  ValueId Input(std::size_t node, std::size_t index) const;

  const KernelChoice& choice() const { return choice_; }
  DeviceContext& device() { return device_; }

  /// A value that a node is to make.
  ValueId AddResult(std::string name);
  ValueId AddConstant(std::string name, Tensor tensor);
  /// Adds a node before `position`, after those added there before; it comes in Finish, whether
  /// its outputs are used or not. kInternal if there is no such operator or the node does not fit.
  Result<void> Insert(std::size_t position, NodeData node);
  /// Makes `id` a constant; its node no longer makes it.
  void MakeConstant(ValueId id, Tensor tensor);
  void SetInput(std::size_t node, std::size_t index, ValueId id);
  void Remove(std::size_t node);
  /// Has all nodes and graphs that use `from` use `to`, which is made no later. False, and
  /// nothing is changed, where that cannot be: `from` is an output of the graph.
  bool ReplaceUses(ValueId from, ValueId to);
  /// Has `node` make `now`, whose own node is removed, in the place of its output `before`.
  void SetOutput(std::size_t node, ValueId before, ValueId now);
  /// Has `node` do what `other` does, on these inputs; its outputs stay. `other` is not changed.
  void BecomeLike(std::size_t node, std::size_t other, std::vector<ValueId> inputs);
  /// Changes the operator of a node. kInternal if there is none or the node does not fit it.
  Result<void> SetOperator(std::size_t node, std::string domain, std::string type, int opset);

  /// Runs a node all of whose inputs are constants.
  Result<std::vector<Value>> Evaluate(std::size_t node);

  /// Drops removed nodes, nodes whose outputs nobody uses, and constants nobody uses. Gives the
  /// number of nodes that went.
  std::int64_t Finish();

 private:
  void Index();
  void AddUse(ValueId id, std::size_t node);
  void ReplaceCapture(std::size_t user, ValueId from, ValueId to);

  GraphData& graph_;
  KernelChoice choice_;
  DeviceContext& device_;
  std::span<const ValueFacts> facts_;
  std::vector<bool> removed_;
  std::vector<std::int64_t> producer_;
  std::vector<std::int64_t> uses_;
  std::vector<std::vector<std::size_t>> users_;  ///< nodes; may name some that no longer are
  std::vector<bool> is_output_;
  std::multimap<std::size_t, NodeData> inserted_;
};

/// Offers each node that is there to `change`, a Result<bool> of its index, in order. How many it
/// changed.
template <class Change>
Result<int> ChangeEach(Rewriter& graph, const Change& change) {
  int changed = 0;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (!graph.removed(i) && TRY(change(i))) ++changed;
  }
  return changed;
}

}  // namespace slipway::runtime
