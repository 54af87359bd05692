// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::workspace {

/// kFailedPrecondition (id `Etag.Mismatch`) unless `if_match`, a header field, is empty, `*`, or
/// holds `etag`. Source: RFC 9110 section 13.1.1.
Result<void> CheckIfMatch(std::string_view if_match, std::string_view etag, std::string_view what);

}  // namespace slipway::workspace
