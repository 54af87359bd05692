// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/http/http.h"

namespace slipway::server {

/// `{"<member>": "<text>"}` with that status.
http::Response TextReply(int status, std::string_view member, std::string_view text);

/// HTTP status of a failed request: errors of the model's own making are 500.
int StatusOf(const Error& error);

/// `{"message": …}`, the v1 scoring server's form.
http::Response MessageReply(const Error& error);
/// `{"error": …}`, the Open Inference Protocol's form.
http::Response OipErrorReply(const Error& error);
/// `{"error_code": 400, "error_message": …}`, ONNX Runtime Server's form.
http::Response PredictErrorReply(const Error& error);

/// `%.3f` milliseconds as `x-ms-run-fn-exec-ms`.
void SetRunTime(double run_ms, http::Response& response);

/// The media type of a header value, lower case, without parameters.
std::string MediaType(std::string_view header);

}  // namespace slipway::server
