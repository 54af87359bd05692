// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/op.h"

namespace slipway::runtime {

/// What an Einsum's equation says of its inputs: a name, one character, for each dimension. Those
/// of an ellipsis are control characters. All names of `output` are those of an input, each once.
/// Spec: https://onnx.ai/onnx/operators/onnx__Einsum.html
struct EinsumEquation {
  std::vector<std::string> inputs;
  std::string output;
  std::map<char, std::int64_t> sizes;  ///< an input may have 1 there instead, and is broadcast
};

/// kInvalidArgument where the equation does not fit the inputs.
Result<EinsumEquation> EinsumEquationOf(const NodeFacts& node);

}  // namespace slipway::runtime
