// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/runtime.h"

namespace slipway::runtime {

/// Of an operator: `ai.onnx`, `ai.onnx.ml`.
std::string OperatorDomain(const OperatorInfo& info);

/// Versions served: `13`, `11-12`, `13+`.
std::string OperatorVersions(const OperatorInfo& info);

/// `T: float, double`, one type variable after another.
std::string OperatorTypes(const OperatorInfo& info);

/// All operators of this build as a Markdown table, which runtime/OPERATORS.md holds.
std::string OperatorsMarkdown();

}  // namespace slipway::runtime
