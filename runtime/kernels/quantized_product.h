// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/op.h"

/// The operators of 8-bit matrices and convolutions on PackedBytes: the same numbers as the
/// reference kernels, to the bit.
namespace slipway::runtime {

std::string DeclineMatMulInteger(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulInteger(const NodeFacts& node, DeviceContext&);

std::string DeclineQLinearMatMul(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearMatMul(const NodeFacts& node, DeviceContext&);

std::string DeclineConvInteger(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvInteger(const NodeFacts& node, DeviceContext&);

std::string DeclineQLinearConv(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearConv(const NodeFacts& node, DeviceContext&);

}  // namespace slipway::runtime
