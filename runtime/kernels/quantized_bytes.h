// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/op.h"

/// The operators of 8-bit matrices and convolutions by sums of four products at once
/// (byte_dot_simd.h): the same numbers as the reference kernels, to the bit. For constant weights
/// around zero.
namespace slipway::runtime {

std::string DeclineMatMulIntegerDot(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareMatMulIntegerDot(const NodeFacts& node, DeviceContext&);

std::string DeclineQLinearMatMulDot(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearMatMulDot(const NodeFacts& node, DeviceContext&);

std::string DeclineConvIntegerDot(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvIntegerDot(const NodeFacts& node, DeviceContext&);

std::string DeclineQLinearConvDot(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearConvDot(const NodeFacts& node, DeviceContext&);

/// Depthwise convolutions of small planes, of any weights.
std::string DeclineQLinearConvSmall(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearConvSmall(const NodeFacts& node,
                                                            DeviceContext& device);

/// Depthwise convolutions, their sums by the same instructions.
std::string DeclineQLinearConvLines(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearConvLines(const NodeFacts& node,
                                                            DeviceContext& device);

/// Depthwise convolutions, in vectors of float32, which has all of their sums.
std::string DeclineConvIntegerDepthwise(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvIntegerDepthwise(const NodeFacts& node,
                                                                DeviceContext&);

std::string DeclineQLinearConvDepthwise(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareQLinearConvDepthwise(const NodeFacts& node,
                                                                DeviceContext&);

}  // namespace slipway::runtime
