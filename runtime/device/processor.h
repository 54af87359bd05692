// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace slipway::runtime {

/// The widest instructions that oneDNN uses: `avx512_core_bf16`.
std::string InstructionsName();

/// What this processor calls itself, and InstructionsName:
/// `AMD EPYC 9454, avx512_core_bf16`.
std::string ProcessorName();

}  // namespace slipway::runtime
