// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

/// Elementwise functions by oneDNN.
namespace slipway::runtime {

/// Functions oneDNN has a primitive for. Source: oneDNN developer guide, "Eltwise".
enum class EltwiseFunction { kExp, kLog, kTanh, kLogistic, kElu, kGeluErf, kGeluTanh };

/// Other element types than float32, and tensors too small to be worth a primitive.
std::string DeclineEltwise(const NodeFacts& node);

Result<std::unique_ptr<Executable>> PrepareEltwise(const NodeFacts& node, DeviceContext& device,
                                                   EltwiseFunction function, float alpha = 0,
                                                   float beta = 0);

/// A ladder entry's prepare for a function without parameters.
template <EltwiseFunction function>
Result<std::unique_ptr<Executable>> PrepareEltwiseFunction(const NodeFacts& node,
                                                           DeviceContext& device) {
  return PrepareEltwise(node, device, function);
}

}  // namespace slipway::runtime
