// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/request_id.h"

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::server {
namespace {

constexpr std::size_t kIdChars = 100;
constexpr std::string_view kServerVersion = "slipway/" SLIPWAY_VERSION;

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kIdsDrawn = 32;

/// Random digits of one id, until the thread asks again. Many are drawn at a time: each time is a
/// call of the system.
std::string_view NewDigits() {
  thread_local std::string drawn;
  thread_local std::size_t used = 0;
  if (used == drawn.size()) {
    drawn = RandomHex(kIdsDrawn * kIdBytes);
    used = 0;
  }
  used += 2 * kIdBytes;
  return std::string_view(drawn).substr(used - 2 * kIdBytes, 2 * kIdBytes);
}

/// A random UUID. Source: RFC 9562 section 5.4.
std::string NewId() {
  const std::string_view digits = NewDigits();
  std::string id;
  id.reserve(digits.size() + 4);
  id.append(digits, 0, 8).append("-").append(digits, 8, 4).append("-4").append(digits, 13, 3);
  id.append("-").append(1, "89ab"[static_cast<unsigned char>(digits[16]) & 3U]);
  id.append(digits, 17, 3).append("-").append(digits, 20);
  return id;
}

}  // namespace

Result<RequestIds> RequestIds::Of(const http::Request& request) {
  for (const char* name : {"x-request-id", "x-ms-request-id", "x-ms-client-request-id"}) {
    const std::size_t size = request.headers.Get(name).size();
    if (size > kIdChars) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("header {} has {} characters, at most {} are taken", name,
                                          size, kIdChars)};
    }
  }
  RequestIds ids;
  ids.request_id = request.headers.Get("x-request-id");
  if (ids.request_id.empty()) ids.request_id = NewId();
  const std::string_view ms = request.headers.Get("x-ms-request-id");
  const std::string_view client = request.headers.Get("x-ms-client-request-id");
  ids.client_request_id = client.empty() ? ms : client;
  ids.ms_request_id = ms.empty() ? client : ms;
  if (ids.ms_request_id.empty()) ids.ms_request_id = ids.request_id;
  const bool predict = request.target.substr(0, request.target.find('?')).ends_with(":predict");
  if (predict) {
    ids.ms_request_id = NewId();
    ids.client_request_id = client;
  }
  ids.trace_id = request.headers.Get("TraceId");
  return ids;
}

void RequestIds::AddTo(http::Response& response) const {
  response.headers.Set("x-request-id", request_id);
  response.headers.Set("x-ms-request-id", ms_request_id);
  if (!client_request_id.empty()) {
    response.headers.Set("x-ms-client-request-id", client_request_id);
  }
  if (!trace_id.empty()) response.headers.Set("TraceId", trace_id);
  response.headers.Set("x-ms-server-version", kServerVersion);
}

void RequestIds::AddRefused(const http::Request& request, http::Response& response) {
  const std::string_view id = request.headers.Get("x-request-id");
  if (id.size() <= kIdChars)
    response.headers.Set("x-request-id", id.empty() ? NewId() : std::string(id));
  response.headers.Set("x-ms-server-version", kServerVersion);
}

}  // namespace slipway::server
