// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::imagebuilder {

/// `[host[:port]/]name[:tag]` as container engines read it.
struct Reference {
  std::string name;
  std::string tag;  ///< `latest` where none is given
};

/// kInvalidArgument (id `Image.Reference`) for a name or tag that engines do not accept.
/// Source: distribution/reference, grammar.
Result<Reference> ParseReference(std::string_view text);

}  // namespace slipway::imagebuilder
