// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

/// Golden samples of what a service is sent and answers as JSON: `request.json` and
/// `response.json` in a folder `test_data_set_*`.
namespace slipway::workspace {

inline constexpr std::string_view kRequestFile = "request.json";
inline constexpr std::string_view kResponseFile = "response.json";

/// Where `got` is first not what `want` says: `$.result[3] is 4, expected 5`; empty if it agrees.
/// Numbers agree within 1e-5 + 1e-3 * |want|; members that `want` does not name may be anything. A
/// text that is itself an object or a list in JSON, which is what `return json.dumps(…)` in a
/// script leads to, is read as that.
std::string FirstDifference(const Json& want, const Json& got);

/// The same of an answer's body. `want` absent: any answer will do.
Result<void> CheckAnswer(const std::optional<Json>& want, std::string_view body);

}  // namespace slipway::workspace
