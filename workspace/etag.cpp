// SPDX-License-Identifier: Apache-2.0
#include "workspace/etag.h"

#include "base/text.h"

namespace slipway::workspace {

Result<void> CheckIfMatch(std::string_view if_match, std::string_view etag, std::string_view what) {
  if (Trim(if_match).empty() || Trim(if_match) == "*") return {};
  for (const std::string& candidate : Split(if_match, ',')) {
    std::string_view value = Trim(candidate);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (value == etag) return {};
  }
  return Error{.code = Code::kFailedPrecondition,
               .message = std::string(what) + " has changed: its etag is \"" + std::string(etag) +
                          "\", not " + std::string(if_match),
               .id = "Etag.Mismatch",
               .fix = "read it again and repeat the change"};
}

}  // namespace slipway::workspace
