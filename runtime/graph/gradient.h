// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/graph/differential.h"
#include "runtime/graph/graph.h"

namespace slipway::runtime {

/// What a node `ai.onnx.preview.training.Gradient` asks for.
/// Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html
struct GradientRequest {
  std::vector<ValueId> variables = {};    ///< of the attributes `xs` and `zs`
  std::vector<std::string> values = {};   ///< that they have here: the node's inputs
  std::vector<std::string> outputs = {};  ///< for each of `xs`, empty where unwanted
  ValueId target = kNoValue;              ///< the attribute `y`
  std::set<ValueId> discrete = {};        ///< values that are no real numbers
  std::string prefix = {};                ///< of names of values that are made for it
  std::int64_t most_nodes = 0;            ///< that there may be
};

/// The nodes that give the derivatives of the sum of the target's elements, by reverse
/// accumulation over the nodes of `graph` between the variables and the target. Steps whose
/// variables have other values here are run again.
/// kUnimplemented (`Model.UnsupportedOperator`) naming an operator whose derivative is not known;
/// kInvalidArgument where there would be more than `most_nodes`.
Result<std::vector<MadeNode>> Differentiate(const GraphData& graph, const GradientRequest& request);

/// The operators whose derivatives are known.
std::vector<std::string> DifferentiableOperators();

}  // namespace slipway::runtime
