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

/// Random digits of one id. Many are drawn at a time: each time is a call of the system.
std::string NewDigits() {
  thread_local std::string drawn;
  if (drawn.empty()) drawn = RandomHex(kIdsDrawn * kIdBytes);
  std::string digits = drawn.substr(drawn.size() - 2 * kIdBytes);
  drawn.resize(drawn.size() - digits.size());
  return digits;
}

/// A random UUID. Source: RFC 9562 section 5.4.
std::string NewId() {
  std::string hex = NewDigits();
  hex[12] = '4';
  hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) & 3U];
  for (std::size_t at : {20U, 16U, 12U, 8U}) hex.insert(at, "-");
  return hex;
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
