// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/optimize.h"

#include <algorithm>
#include <vector>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"
#include "runtime/stored_bytes.h"

namespace slipway::runtime {
namespace {

constexpr int kMostRounds = 16;

struct NamedPass {
  std::string_view name;
  Pass pass;
};

std::vector<NamedPass> PassesInOrder(const PassOptions& options, bool per_plan) {
  std::vector<NamedPass> passes;
  if (!options.enabled) return passes;
  for (const auto& unit : passes_table()) {
    const NamedPass named{unit.name, unit.make()};
    if (named.pass.per_plan == per_plan && !options.without.contains(std::string(unit.name))) {
      passes.push_back(named);
    }
  }
  std::ranges::stable_sort(passes, {}, [](const NamedPass& p) { return p.pass.stage; });
  return passes;
}

/// Gives a subgraph the constants it captures, and drops the captures nothing in it uses.
void HandDownConstants(const GraphData& outer, const NodeData& node, GraphData& inner) {
  std::map<std::string_view, const Tensor*> constants;
  for (ValueId id : node.captures) {
    const GraphValue& source = outer.values[static_cast<std::size_t>(id)];
    if (source.is_constant()) constants.emplace(source.name, &source.constant);
  }
  std::erase_if(inner.captures, [&](ValueId capture) {
    GraphValue& value = inner.values[static_cast<std::size_t>(capture)];
    const auto found = constants.find(value.name);
    if (found == constants.end()) return false;
    value.constant = *found->second;
    return true;
  });
}

class Optimizer {
 public:
  Optimizer(const PassOptions& options, DeviceContext& device)
      : options_(options), device_(device), passes_(PassesInOrder(options, false)) {}

  Result<void> Run(GraphData& graph) {
    TRY(Rewrite(graph));
    for (NodeData& node : graph.nodes) {
      if (!SubgraphsOf(node).empty()) TRY(RunInside(graph, node));
    }
    return {};
  }

  std::map<std::string, std::int64_t> TakeChanges() { return std::move(changes_); }

 private:
  Result<void> Rewrite(GraphData& graph) {
    for (int round = 0; round < kMostRounds; ++round) {
      std::int64_t changed = 0;
      for (const NamedPass& named : passes_) {
        Rewriter rewriter(graph, options_.choice, device_);
        const std::int64_t places = TRY(named.pass.run(rewriter));
        rewriter.Finish();
        changed += places;
        changes_[std::string(named.name)] += places;
      }
      if (changed == 0) break;
    }
    return {};
  }

  Result<std::shared_ptr<const GraphData>> Inner(const GraphData& graph, const NodeData& node,
                                                 const std::shared_ptr<const GraphData>& source) {
    auto inner = std::make_shared<GraphData>(*source);
    HandDownConstants(graph, node, *inner);
    TRY(Run(*inner));
    return std::shared_ptr<const GraphData>(std::move(inner));
  }

  Result<void> RunInside(const GraphData& graph, NodeData& node) {
    Attributes attributes;
    for (const auto& [name, value] : node.attributes) {
      if (const auto* one = std::get_if<std::shared_ptr<const GraphData>>(&value)) {
        attributes.Set(name, TRY(Inner(graph, node, *one)));
      } else if (const auto* list =
                     std::get_if<std::vector<std::shared_ptr<const GraphData>>>(&value)) {
        std::vector<std::shared_ptr<const GraphData>> graphs;
        for (const auto& source : *list) graphs.push_back(TRY(Inner(graph, node, source)));
        attributes.Set(name, std::move(graphs));
      } else {
        attributes.Set(name, value);
      }
    }
    node.attributes = std::move(attributes);
    std::erase_if(node.captures, [&](ValueId id) {
      return graph.values[static_cast<std::size_t>(id)].is_constant();
    });
    return {};
  }

  const PassOptions& options_;
  DeviceContext& device_;
  std::vector<NamedPass> passes_;
  std::map<std::string, std::int64_t> changes_;
};

void Override(GraphData& graph, const std::set<std::string>& names) {
  for (std::size_t i = 0; i < graph.overridable.size(); ++i) {
    if (!names.contains(graph.overridable_infos[i].name)) continue;
    graph.values[static_cast<std::size_t>(graph.overridable[i])].constant = {};
    graph.inputs.push_back(graph.overridable[i]);
    graph.input_infos.push_back(graph.overridable_infos[i]);
  }
}

}  // namespace

Result<Optimized> Optimize(const GraphData& graph, const std::set<std::string>& overridden,
                           const PassOptions& options, DeviceContext& device) {
  auto copy = std::make_shared<GraphData>(graph);
  Override(*copy, overridden);
  for (GraphValue& value : copy->values) {
    value.constant = TRY(StoredWeights::Keep(value.constant));
  }
  Optimizer optimizer(options, device);
  TRY(optimizer.Run(*copy));
  return Optimized{.graph = std::move(copy), .changes = optimizer.TakeChanges()};
}

Result<Optimized> Specialise(const std::shared_ptr<const GraphData>& graph,
                             std::span<const ValueFacts> facts, const PassOptions& options,
                             DeviceContext& device, bool may_renew) {
  Optimized result{.graph = graph, .changes = {}};
  const auto passes = PassesInOrder(options, true);
  if (passes.empty()) return result;
  auto copy = std::make_shared<GraphData>(*graph);
  Rewriter known(*copy, options.choice, device);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].constant == nullptr || copy->values[i].is_constant()) continue;
    known.MakeConstant(static_cast<ValueId>(i), *facts[i].constant);
  }
  known.Finish();
  std::int64_t changed = 0;
  for (const NamedPass& named : passes) {
    if (named.pass.renews_facts && !may_renew) continue;
    Rewriter rewriter(*copy, options.choice, device, facts);
    const std::int64_t places = TRY(named.pass.run(rewriter));
    rewriter.Finish();
    changed += places;
    result.changes[std::string(named.name)] += places;
    result.unfinished = named.pass.renews_facts && places > 0;
    if (result.unfinished) break;
  }
  if (changed > 0) result.graph = std::move(copy);
  return result;
}

}  // namespace slipway::runtime
