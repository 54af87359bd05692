// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/http/http.h"

namespace slipway::server {

/// The ids that link a request with its answer and its log lines.
struct RequestIds {
  std::string request_id;         ///< `x-request-id`: echoed, else made
  std::string ms_request_id;      ///< `x-ms-request-id`: echoed, else the same; `:predict` makes it
  std::string client_request_id;  ///< `x-ms-client-request-id`: echoed
  std::string trace_id;           ///< `TraceId`: echoed

  /// kResourceExhausted naming the header whose value has more than 100 characters.
  static Result<RequestIds> Of(const http::Request& request);
  void AddTo(http::Response& response) const;
};

}  // namespace slipway::server
