// SPDX-License-Identifier: Apache-2.0
#include "base/http/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "base/text.h"

namespace slipway::http {

bool CanSendAgain(const Request& request) {
  if (request.body_reader) return false;
  static constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
  return request.headers.Has("Idempotency-Key") ||
         std::find(std::begin(kIdempotent), std::end(kIdempotent), request.method) !=
             std::end(kIdempotent);
}

bool IsWorthAnotherTry(const Result<Response>& outcome) {
  if (!outcome) return outcome.error().code == Code::kUnavailable;
  const int status = outcome->status;
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::chrono::milliseconds BackoffBound(const ClientOptions& options, int number) {
  std::chrono::milliseconds bound = options.backoff;
  for (int i = 1; i < number && bound < options.backoff_max; ++i) bound *= 2;
  return std::min(bound, options.backoff_max);
}

std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view text, TimePoint now) {
  text = Trim(text);
  if (text.empty()) return std::nullopt;
  constexpr std::int64_t kSecondsMax = 10L * 365 * 24 * 3600;
  std::int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (stop == end && error == std::errc() && seconds >= 0) {
    return std::chrono::seconds(std::min(seconds, kSecondsMax));
  }
  const time_t date = ::curl_getdate(std::string(text).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const auto wait = std::chrono::system_clock::from_time_t(date) - now;
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(wait), std::chrono::milliseconds(0));
}

}  // namespace slipway::http
