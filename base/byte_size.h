// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace slipway {

/// A number of bytes, 1 or more, which K, M, G or T may follow: powers of 1024. kInvalidArgument
/// naming `what` it was given as.
Result<std::int64_t> ParseBytes(std::string_view what, std::string_view text);

}  // namespace slipway
