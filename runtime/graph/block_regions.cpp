// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/block_regions.h"

#include <algorithm>

namespace slipway::runtime {
namespace {

constexpr int kMostRounds = 64;
/// What a node of its own costs beside the bytes it moves.
constexpr double kBorderBytes = 16 << 10;
/// What a convolution that changes layouts costs beside them: it is not the best that there is.
constexpr double kOwnBytes = 24 << 10;

class Chooser {
 public:
  Chooser(const Rewriter& graph, const ValueUses& uses,
          const std::vector<std::optional<BlockRole>>& roles)
      : graph_(graph), uses_(uses), roles_(roles) {}

  /// From either end, as what is between may be dearer than both.
  std::vector<bool> Choose() {
    blocked_.assign(roles_.size(), false);
    Descend();
    const double least = CostOfAll();
    const std::vector<bool> plainer = blocked_;
    for (std::size_t i = 0; i < roles_.size(); ++i) blocked_[i] = roles_[i].has_value();
    Descend();
    return CostOfAll() < least ? blocked_ : plainer;
  }

 private:
  void Descend() {
    for (int round = 0; round < kMostRounds && Improve(); ++round) {
    }
  }

  bool Improve() {
    bool changed = false;
    for (std::size_t i = 0; i < roles_.size(); ++i) {
      if (!roles_[i]) continue;
      const double before = CostAround(i);
      blocked_[i] = !blocked_[i];
      const double after = CostAround(i);
      const bool better = blocked_[i] ? after < before : after <= before;
      if (!better) blocked_[i] = !blocked_[i];
      changed = changed || better;
    }
    return changed;
  }

  double Bytes(ValueId id) const {
    const ValueFacts* facts = id == kNoValue ? nullptr : graph_.Facts(id);
    if (facts == nullptr || !facts->shape || graph_.Constant(id) != nullptr) return 0;
    double bytes = 4;
    for (const std::int64_t dim : *facts->shape) bytes *= static_cast<double>(dim);
    return bytes;
  }

  double CostOfAll() const {
    double cost = 0;
    for (std::size_t i = 0; i < roles_.size(); ++i) cost += OwnCost(i);
    for (std::size_t id = 0; id < uses_.size(); ++id) {
      cost += BorderCost(static_cast<ValueId>(id));
    }
    return cost;
  }

  double OwnCost(std::size_t node) const {
    if (blocked_[node] || !roles_[node] || !roles_[node]->changes_itself) return 0;
    const NodeData& data = graph_.node(node);
    double cost = 2 * Bytes(data.outputs[0]) + kOwnBytes;
    for (const std::size_t input : roles_[node]->blocks) cost += 2 * Bytes(data.inputs[input]);
    return cost;
  }

  /// Of the node itself and the values it reads and makes.
  double CostAround(std::size_t node) const {
    const NodeData& data = graph_.node(node);
    double cost = OwnCost(node);
    for (std::size_t i = 0; i < data.inputs.size(); ++i) {
      const auto first = std::ranges::find(data.inputs, data.inputs[i]) - data.inputs.begin();
      if (first == static_cast<std::ptrdiff_t>(i)) cost += BorderCost(data.inputs[i]);
    }
    return cost + BorderCost(data.outputs[0]);
  }

  double BorderCost(ValueId id) const {
    if (id == kNoValue || graph_.Constant(id) != nullptr) return 0;
    const std::int64_t producer = graph_.Producer(id);
    const bool made_blocked = producer >= 0 && blocked_[static_cast<std::size_t>(producer)];
    const bool crosses = std::ranges::any_of(
        uses_.Of(id), [&](const ValueUses::Use& use) { return TakesBlocks(use) != made_blocked; });
    const bool kept = made_blocked && uses_.IsKept(id);
    return crosses || kept ? 2 * Bytes(id) + kBorderBytes : 0;
  }

  bool TakesBlocks(const ValueUses::Use& use) const {
    if (!blocked_[use.node]) return false;
    const auto& inputs = roles_[use.node]->blocks;
    return std::ranges::find(inputs, use.input) != inputs.end();
  }

  const Rewriter& graph_;
  const ValueUses& uses_;
  const std::vector<std::optional<BlockRole>>& roles_;
  std::vector<bool> blocked_ = {};
};

}  // namespace

ValueUses::ValueUses(const GraphData& graph)
    : uses_(graph.values.size()), kept_(graph.values.size(), false) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const NodeData& node = graph.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      uses_[static_cast<std::size_t>(node.inputs[i])].push_back({.node = n, .input = i});
    }
    for (ValueId id : node.captures) kept_[static_cast<std::size_t>(id)] = true;
  }
  for (ValueId id : graph.outputs) kept_[static_cast<std::size_t>(id)] = true;
}

std::vector<bool> ChooseBlockRegions(const Rewriter& graph, const ValueUses& uses,
                                     const std::vector<std::optional<BlockRole>>& roles) {
  return Chooser(graph, uses, roles).Choose();
}

}  // namespace slipway::runtime
