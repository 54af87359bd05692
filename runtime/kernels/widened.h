// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

/// float16 and bfloat16 by kernels for float32: inputs are converted before, outputs after.
namespace slipway::runtime {

/// The node with float32 in place of 16-bit floats. Constants are left out.
NodeFacts WidenedFacts(const NodeFacts& node);

bool HasHalfInput(const NodeFacts& node);

using PrepareFunction = Result<std::unique_ptr<Executable>> (*)(const NodeFacts&, DeviceContext&);

Result<std::unique_ptr<Executable>> PrepareWidenedBy(PrepareFunction prepare, const NodeFacts& node,
                                                     DeviceContext& device);

/// A ladder entry's `declines`, from that of the kernel for float32.
template <std::string (*declines)(const NodeFacts&)>
std::string DeclineWidened(const NodeFacts& node) {
  if (!HasHalfInput(node)) return "no input is a 16-bit float";
  return declines(WidenedFacts(node));
}

/// A ladder entry's `prepare`, from that of the kernel for float32.
template <PrepareFunction prepare>
Result<std::unique_ptr<Executable>> PrepareWidened(const NodeFacts& node, DeviceContext& device) {
  return PrepareWidenedBy(prepare, node, device);
}

}  // namespace slipway::runtime
