// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/http/http.h"

namespace slipway::server {

/// The ids that link a request with its answer and its log lines.
struct RequestIds {
  std::string request_id;  ///< `x-request-id`: echoed, else made
  /// `x-ms-request-id`: echoed, else the client's, else `request_id`; `:predict` makes it.
  std::string ms_request_id;
  std::string client_request_id;  ///< `x-ms-client-request-id`: echoed, else `x-ms-request-id`'s
  std::string trace_id;           ///< `TraceId`: echoed

  /// kResourceExhausted naming the header whose value has more than 100 characters.
  static Result<RequestIds> Of(const http::Request& request);
  void AddTo(http::Response& response) const;
  /// What the answer to a request carries whose ids are refused: `x-request-id` alone, where that
  /// is not the one that is too long.
  static void AddRefused(const http::Request& request, http::Response& response);
};

}  // namespace slipway::server
