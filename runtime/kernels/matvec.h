// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

/// Products of a matrix and one row, or one column, in float32: what they cost is to read the
/// matrix, once, from where it is.
namespace slipway::runtime {

std::string DeclineMatMulVector(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulVector(const NodeFacts& node,
                                                        DeviceContext& device);
std::string DeclineMatMulColumn(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulColumn(const NodeFacts& node,
                                                        DeviceContext& device);
std::string DeclineGemmColumn(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareGemmColumn(const NodeFacts& node, DeviceContext& device);
std::string DeclineGemmVector(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareGemmVector(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
