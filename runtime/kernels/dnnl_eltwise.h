// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

/// Elementwise functions by oneDNN.
namespace slipway::runtime {

/// Functions oneDNN has a primitive for that is right at infinities, NaN and near zero; its
/// exponential, logarithm, ELU, softplus and mish are not. Source: oneDNN developer guide,
/// "Eltwise".
enum class EltwiseFunction : std::uint8_t { kGeluErf, kGeluTanh };

/// Other element types than float32, and tensors too small to be worth a primitive.
std::string DeclineEltwise(const NodeFacts& node);

Result<std::unique_ptr<Executable>> PrepareEltwise(const NodeFacts& node, DeviceContext& device,
                                                   EltwiseFunction function);

}  // namespace slipway::runtime
