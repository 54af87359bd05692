// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/attributes.h"
#include "runtime/device/packed_weights.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

struct OpDef;
struct Schema;

/// A value of a graph: an index into GraphData::values.
using ValueId = std::int32_t;
/// An optional input or output that a node leaves out.
inline constexpr ValueId kNoValue = -1;

/// A node, checked against the schema of its operator; attributes hold the schema's defaults.
struct NodeData {
  std::string name = {};  ///< of the file, else one made of type and position
  std::string domain = {}, type = {};
  int opset = 0;
  const OpDef* op = nullptr;  ///< null only where unsupported operators were allowed
  std::shared_ptr<const Schema> schema = nullptr;  ///< of op
  std::vector<ValueId> inputs = {}, outputs = {};
  std::vector<ValueId> captures = {};  ///< values of this graph that its subgraphs use
  Attributes attributes = {};
};

/// A value of a graph.
struct GraphValue {
  std::string name;
  Tensor constant = {};  ///< of an initialiser; otherwise without an element type
  bool is_constant() const { return constant.dtype() != DType::kUndefined; }
};

/// A graph that is sorted, in which every name is resolved. Immutable once a model holds it.
struct GraphData {
  std::string name;
  std::vector<GraphValue> values;
  std::vector<NodeData> nodes;
  std::vector<ValueId> inputs;       ///< fed at every run
  std::vector<ValueId> overridable;  ///< initialisers that are also inputs
  std::vector<ValueId> captures;     ///< values of the graphs around it, known by name
  std::vector<ValueId> outputs;
  std::vector<ValueInfo> input_infos, overridable_infos, output_infos;
  ModelInfo info = {};  ///< of a model's main graph; empty in subgraphs
  /// Of a model's main graph, shared by its sessions; null in subgraphs.
  std::shared_ptr<PackedWeights> packed = nullptr;
};

/// `Relu 'layer1/relu'`, for messages.
std::string NodeText(const NodeData& node);
/// `ai.onnx`, or the domain's own name.
std::string_view DomainText(std::string_view domain);

/// The graphs among a node's attributes.
std::vector<std::shared_ptr<const GraphData>> SubgraphsOf(const NodeData& node);

/// Adds a value; the name need not be unique.
ValueId AddValue(GraphData& graph, std::string name);

}  // namespace slipway::runtime
