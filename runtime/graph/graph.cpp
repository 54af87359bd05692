// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/graph.h"

#include <fmt/format.h>

namespace slipway::runtime {

std::string NodeText(const NodeData& node) { return fmt::format("{} '{}'", node.type, node.name); }

std::string_view DomainText(std::string_view domain) {
  return domain.empty() ? std::string_view("ai.onnx") : domain;
}

std::vector<std::shared_ptr<const GraphData>> SubgraphsOf(const NodeData& node) {
  std::vector<std::shared_ptr<const GraphData>> graphs;
  for (const auto& [name, value] : node.attributes) {
    if (const auto* one = std::get_if<std::shared_ptr<const GraphData>>(&value)) {
      graphs.push_back(*one);
    } else if (const auto* list =
                   std::get_if<std::vector<std::shared_ptr<const GraphData>>>(&value)) {
      graphs.insert(graphs.end(), list->begin(), list->end());
    }
  }
  return graphs;
}

ValueId AddValue(GraphData& graph, std::string name) {
  graph.values.push_back({.name = std::move(name)});
  return static_cast<ValueId>(graph.values.size() - 1);
}

}  // namespace slipway::runtime
