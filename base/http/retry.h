// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/http/client.h"

namespace slipway::http {

/// Whether sending the request twice does no more than sending it once, and its body can be sent
/// again.
bool CanSendAgain(const Request& request);

/// Whether another try may go better: connection failures, 429, 502, 503, 504.
bool IsWorthAnotherTry(const Result<Response>& outcome);

/// Longest backoff before try `number` (the first retry is 1): doubles up to `backoff_max`.
std::chrono::milliseconds BackoffBound(const ClientOptions& options, int number);

/// What a Retry-After field asks for: seconds or a date. Source: RFC 9110 section 10.2.3.
std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view text, TimePoint now);

}  // namespace slipway::http
