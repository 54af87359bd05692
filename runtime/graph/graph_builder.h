// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "runtime/graph/function_scope.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/made_graph.h"
#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/signature.h"

namespace slipway::runtime {

/// Turns graphs as a file has them into GraphData: resolves names, inlines the model's
/// functions, checks every node against its operator's schema. For one model; not thread-safe.
class GraphBuilder {
 public:
  GraphBuilder(const proto::Model& model, bool allow_unsupported, const ModelLimits& limits);

  Result<std::shared_ptr<GraphData>> BuildModel();

 private:
  /// A graph being built, and the graphs around it.
  struct Scope {
    GraphData* graph = nullptr;
    Scope* parent = nullptr;
    std::unordered_map<std::string, ValueId> names = {};
    const proto::Graph* source = nullptr;
    /// What is known of values' types without shapes; nothing where that is open.
    std::map<ValueId, ValueFacts> types = {};
    std::int64_t inner_nodes = 0;  ///< in graphs inside its nodes
  };
  /// Nodes that Gradient nodes ask for.
  struct MadeNodes {
    std::string prefix;  ///< of their names
    const std::vector<MadeNode>& nodes;
  };

  /// `made`: nodes that it has besides those of `source`.
  Result<std::shared_ptr<GraphData>> BuildGraph(const proto::Graph& source, Scope* parent,
                                                const FunctionCall* call,
                                                const MadeNodes* made = nullptr);
  Result<void> Fill(const proto::Graph& source, Scope& scope, const FunctionCall* call,
                    const MadeNodes* made);
  Result<void> AddDeclared(const proto::Graph& source, Scope& scope, const FunctionCall* call);
  Result<void> AddOutputs(const proto::Graph& source, Scope& scope, const FunctionCall* call);
  Result<void> AddNode(const proto::Node& node, Scope& scope, const FunctionCall* call);
  std::int64_t MostMadeNodes() const;  ///< by functions and Gradient nodes
  Result<void> CountNode(bool made);
  Result<void> Connect(Scope& scope, NodeData& data, const std::vector<std::string>& inputs);
  Result<void> Place(Scope& scope, NodeData data, const std::vector<std::string>& outputs);
  /// Values that are no real numbers, as far as that is known without shapes.
  static std::set<ValueId> DiscreteValues(const Scope& scope);
  Result<void> AddGradient(NodeData data, Scope& scope, const FunctionCall* call,
                           const std::vector<std::string>& inputs,
                           const std::vector<std::string>& outputs);
  Result<void> PlaceMade(Scope& scope, const MadeNodes& made);
  Result<void> Inline(const proto::Function& function, const proto::Node& node, Scope& scope,
                      const FunctionCall* call);
  Result<void> AddBody(const proto::Function& function, Scope& scope, const FunctionCall& call);
  Result<void> AddPassThrough(const proto::Function& function, const FunctionCall& call,
                              const proto::Node& node, Scope& scope);
  Result<void> AddAttributes(const proto::Node& node, Scope& scope, const FunctionCall* call,
                             NodeData& data);
  Result<void> AddCaptures(Scope& scope, NodeData& data);
  Result<void> CheckNode(Scope& scope, NodeData& data);
  Result<void> CheckTypesOf(Scope& scope, const NodeData& data);
  Result<void> FindOperator(NodeData& data);
  Result<ValueId> Define(Scope& scope, std::string name);
  ValueId Lookup(Scope& scope, const std::string& name);
  Error Undefined(const Scope& scope, const NodeData& data, const std::string& name);
  Result<int> OpsetOf(std::string_view domain, const FunctionCall* call) const;

  const proto::Model& model_;
  bool allow_unsupported_;
  ModelLimits limits_;
  FunctionTable functions_;
  proto::Opsets opsets_;
  std::map<const OpDef*, std::shared_ptr<const Schema>> schemas_;
  std::int64_t nodes_ = 0;
  std::int64_t calls_ = 0;
  std::int64_t gradient_steps_ = 0;  ///< nodes that Gradient nodes looked at
  std::int64_t depth_ = 0;           ///< of graphs and calls being built
};

}  // namespace slipway::runtime
