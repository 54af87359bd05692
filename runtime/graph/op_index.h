// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/op.h"

namespace slipway::runtime {

/// The domain of operators that passes and derivatives alone put into graphs: no model may name it.
inline constexpr std::string_view kPrivateDomain = "slipway.blocks";

/// All definitions of an operator, newest first.
std::vector<const OpDef*> VersionsOf(std::string_view domain, std::string_view type);

/// The operator that a typing error would most likely have meant; empty if none is near.
std::string NearestOp(std::string_view domain, std::string_view type);

}  // namespace slipway::runtime
