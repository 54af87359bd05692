// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/http/client.h"

namespace slipway::http {

/// What one try of a request may use.
struct TransferLimits {
  const ClientOptions& options;
  std::optional<std::chrono::steady_clock::time_point> deadline = {};  ///< of all tries together
  std::stop_token stop = {};          ///< ends the transfer at once
  std::function<void()> opened = {};  ///< called once a 2xx answer has begun
};

/// One libcurl handle with the connections it keeps. Not thread-safe.
class TransferHandle {
 public:
  TransferHandle();
  ~TransferHandle();
  TransferHandle(const TransferHandle&) = delete;
  TransferHandle& operator=(const TransferHandle&) = delete;

  /// Sends the request once. `sink` may be null; `sink_used` says whether it got anything.
  Result<Response> Send(const Request& request, const Sink* sink, const TransferLimits& limits,
                        bool& sink_used);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether the URL's host is this machine, which no proxy is asked for.
bool IsLoopbackUrl(const std::string& url);

}  // namespace slipway::http
