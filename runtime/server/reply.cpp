// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/reply.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/text.h"
#include "runtime/server/json_tensor.h"

namespace slipway::server {
namespace {

std::string Sentence(const Error& error) {
  return error.fix.empty() ? error.message : error.message + "; " + error.fix;
}

}  // namespace

int StatusOf(const Error& error) {
  if (error.id == "Scoring.Timeout") return 500;
  return HttpStatus(error.code);
}

http::Response TextReply(int status, std::string_view member, std::string_view text) {
  std::string json = "{";
  AppendJsonString(member, json);
  json += ": ";
  AppendJsonString(text, json);
  json += '}';
  return http::JsonResponse(status, std::move(json));
}

http::Response MessageReply(const Error& error) {
  http::Response response = TextReply(StatusOf(error), "message", Sentence(error));
  if (error.code == Code::kUnavailable) response.headers.Set("Retry-After", "1");
  if (response.status == 500) response.headers.Set("x-ms-run-function-failed", "True");
  return response;
}

http::Response OipErrorReply(const Error& error) {
  http::Response response = TextReply(StatusOf(error), "error", Sentence(error));
  if (error.code == Code::kUnavailable) response.headers.Set("Retry-After", "1");
  return response;
}

http::Response PredictErrorReply(const Error& error) {
  const int status = StatusOf(error);
  std::string json = fmt::format(R"({{"error_code": {}, "error_message": )", status);
  AppendJsonString(Sentence(error), json);
  json += '}';
  http::Response response = http::JsonResponse(status, std::move(json));
  if (error.code == Code::kUnavailable) response.headers.Set("Retry-After", "1");
  return response;
}

void SetRunTime(double run_ms, http::Response& response) {
  // As "{:.3f}" would, at a fraction of what that takes.
  std::array<char, 32> text;
  const auto micros = static_cast<std::int64_t>(std::llround(run_ms * 1000));
  char* end = std::to_chars(text.begin(), text.end(), micros / 1000).ptr;
  *end++ = '.';
  for (std::int64_t unit = 100; unit > 0; unit /= 10) {
    *end++ = static_cast<char>('0' + micros / unit % 10);
  }
  response.headers.Set("x-ms-run-fn-exec-ms",
                       {text.data(), static_cast<std::size_t>(end - text.data())});
}

std::string MediaType(std::string_view header) {
  return ToLower(Trim(header.substr(0, header.find(';'))));
}

}  // namespace slipway::server
