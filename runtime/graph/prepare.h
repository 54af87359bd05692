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

class KernelTuner;

/// How kernels are chosen.
struct KernelChoice {
  Device device = Device::kCpu;
  bool reference = false;  ///< only the last of each ladder
  bool strict = false;     ///< nothing whose rounding errors are larger than those of sums
  Precision precision = Precision::kFloat32;  ///< that products of weights may be rounded to
  /// Knows which kernels were measured as the quickest; null: the first of a ladder that serves.
  std::shared_ptr<KernelTuner> tuner = nullptr;
};

/// Whether a kernel is there for comparison alone.
bool IsReference(const Kernel& kernel);

/// A kernel made ready for a node, or why it is not.
struct PreparedKernel {
  const Kernel* kernel = nullptr;
  std::unique_ptr<Executable> executable = nullptr;
  std::string declined = {};  ///< empty: it is ready

  std::int64_t scratch_bytes() const { return executable ? executable->scratch_bytes() : 0; }
  Result<void> Run(const NodeFacts& facts, KernelContext& context) const;
};
/// `facts` stay where they are while it lives.
Result<PreparedKernel> PrepareKernel(const Kernel& kernel, const NodeFacts& facts,
                                     DeviceContext& device);

/// A node with its facts and the kernel that serves them.
struct PreparedNode {
  NodeFacts facts;
  const Kernel* kernel = nullptr;
  std::unique_ptr<Executable> executable = nullptr;
  std::vector<std::pair<std::string_view, std::string>> declined =
      {};                   ///< kernels passed over, why
  std::string reason = {};  ///< of the choice, where kernels may be measured

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

/// Takes the kernel that was measured as the quickest, or else the first of the ladder that does
/// not decline, and prepares it. kUnimplemented (id `Model.UnsupportedOperator`) with every
/// kernel's reason if none is left.
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
