// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/attributes.h"
#include "runtime/graph/graph.h"

/// Nodes and graphs in which values are known by name: what differentiation reads and writes.
namespace slipway::runtime {

struct MadeGraph;

/// A node that a graph is to get, or has.
struct MadeNode {
  std::string name = {};  ///< of one that a graph has; for messages
  std::string type = {}, domain = {};
  int opset = 0;
  std::vector<std::string> inputs = {}, outputs = {};
  Attributes attributes = {};                                           ///< but for graphs
  std::map<std::string, std::shared_ptr<const MadeGraph>> bodies = {};  ///< graphs, by attribute

  std::string Text() const { return type + " '" + name + "'"; }  ///< as NodeText
  /// kInvalidArgument where there is none.
  Result<const MadeGraph*> Body(const std::string& attribute) const;
};

/// A graph inside a node. Immutable once a node has it.
struct MadeGraph {
  std::vector<ValueInfo> inputs = {}, outputs = {};
  std::vector<std::pair<std::string, Tensor>> constants = {};
  std::vector<MadeNode> nodes = {};
  std::vector<std::string> captures = {};  ///< values of the graphs around it
};

/// An input or output of a graph, of any type.
inline ValueInfo Port(std::string name) { return {.name = std::move(name), .type = {}}; }

/// What `a` is renamed to: itself where it is not listed.
using NewNames = std::map<std::string, std::string>;

/// A node of `graph` by names.
MadeNode ByNames(const GraphData& graph, const NodeData& node);

/// The node with values of the graph that it is in under other names, inside its graphs too.
MadeNode Renamed(MadeNode node, const NewNames& names);

/// Values of the graph around that graphs inside the node use, each once.
std::vector<std::string> CapturesOf(const MadeNode& node);

/// The node with what of it lies inside graphs.
std::int64_t CountNodes(const MadeNode& node);

/// kUnimplemented (`Model.UnsupportedOperator`) where a graph makes random numbers, which would be
/// others when it runs again.
Result<void> MayRunAgain(const MadeGraph& graph);

/// Those of `nodes` that `outputs` depend on.
std::vector<MadeNode> Used(std::vector<MadeNode> nodes, const std::vector<std::string>& outputs);

/// What the nodes of a graph and its outputs use.
std::set<std::string> UsedBy(const MadeGraph& graph);

/// The graph of these nodes without those that nothing uses, its captures worked out.
MadeGraph Completed(MadeGraph graph);

}  // namespace slipway::runtime
