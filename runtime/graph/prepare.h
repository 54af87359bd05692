// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/graph/graph.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// How kernels are chosen.
struct KernelChoice {
  Device device = Device::kCpu;
  bool reference = false;  ///< only the last of each ladder
  bool strict = false;     ///< nothing whose rounding errors are larger than those of sums
};

/// A node with its facts and the kernel that serves them.
struct PreparedNode {
  NodeFacts facts;
  const Kernel* kernel = nullptr;
  std::unique_ptr<Executable> executable = nullptr;
  std::vector<std::pair<std::string_view, std::string>> declined =
      {};  ///< kernels passed over, why

  std::int64_t scratch_bytes() const { return executable ? executable->scratch_bytes() : 0; }
  Result<void> Run(KernelContext& context) const;
};

/// `node Relu 'x' (ai.onnx, opset 13)`
std::string WhereText(const NodeData& node);

/// Facts of a node whose inputs are these; outputs are left empty.
NodeFacts MakeFacts(const NodeData& node, std::vector<ValueFacts> inputs);

/// Checks element types against the schema and asks the operator for its outputs' facts.
/// Errors name the node.
Result<std::vector<ValueFacts>> InferOutputs(const NodeData& node, const NodeFacts& facts);

/// What the signature alone tells of the outputs, for a node whose inputs are not known yet.
Result<std::vector<ValueFacts>> OutputsFromSignature(const NodeData& node, const NodeFacts& facts);

/// Takes the first kernel of the ladder that does not decline and prepares it.
/// kUnimplemented (id `Model.UnsupportedOperator`) with every kernel's reason if none is left.
Result<void> ChooseKernel(const NodeData& node, const KernelChoice& choice, DeviceContext& device,
                          PreparedNode& prepared);

/// Whether output 0 is input 0's bytes under another shape that is known: no kernel is needed.
Result<bool> IsViewOf(const NodeData& node, const NodeFacts& facts);

/// Facts of a value that exists. Its contents count as known if `constant`.
ValueFacts FactsOf(const Value& value, bool constant);

/// Runs one node at once, all of whose inputs are known: null for an absent one.
Result<std::vector<Value>> EvaluateNode(const NodeData& node,
                                        const std::vector<const Tensor*>& inputs,
                                        const KernelChoice& choice, DeviceContext& device);

/// The output of a node that is known from its input's shape alone (Shape, Size), or nothing.
Result<std::optional<Tensor>> EvaluateShapeNode(const NodeData& node, const NodeFacts& facts);

}  // namespace slipway::runtime
