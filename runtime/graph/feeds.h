// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "runtime/runtime.h"

namespace slipway::runtime {

/// Checks a value against a declared input. Errors as Session::Run.
Result<void> CheckInput(const ValueInfo& info, const Value& value);

/// Names among `feeds` that are initialisers to be replaced. `Input.Unknown` naming the first
/// that is no input at all, `Input.Twice` for one that is fed twice.
Result<std::set<std::string>> OverriddenNames(const Model& model, const Feeds& feeds);

/// The fed values in the order of `inputs`, checked, in `values`. `Input.Missing` naming the first
/// not there.
Result<void> InputValues(std::span<const ValueInfo> inputs, const Feeds& feeds,
                         std::vector<Value>& values);

/// Which of the model's outputs `names` asks for, in `wanted`; `Output.Unknown`.
Result<void> WantedOutputs(const Model& model, std::span<const std::string> names,
                           std::vector<bool>& wanted);

/// `float[1,3,64,64]` of a value that exists.
std::string ValueText(const Value& value);

}  // namespace slipway::runtime
