// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/answer.h"

#include <fmt/format.h>

#include "base/log.h"
#include "runtime/server/reply.h"
#include "runtime/server/script/host.h"

namespace slipway::server {
namespace {

constexpr const char* kFailedHeader = "x-ms-run-function-failed";

http::Response Refusal(int status, std::string_view message) {
  http::Response response = TextReply(status, "message", message);
  response.headers.Set(kFailedHeader, "False");
  return response;
}

http::Response FailureReply(const Error& error, std::string_view request_id) {
  const bool busy = error.code == Code::kUnavailable;
  http::Response response = MessageReply(error);
  if (!busy) {
    log::Failure("request failed: " + error.message,
                 {{"cause", ErrorId(error)}, {"id", request_id}});
    response.status = 500;
  }
  response.headers.Set(kFailedHeader, busy ? "False" : "True");
  return response;
}

}  // namespace

http::Response AnswerByScript(Call& call) {
  const http::Request& request = call.request;
  const bool raw = call.script->facts()->raw;
  if (!raw && request.method == "HEAD") {
    return Refusal(405, "HEAD is taken by scripts with @rawhttp alone");
  }
  if (!raw && request.method == "OPTIONS") {
    http::Response response;
    response.headers.Set(kFailedHeader, "False");
    return response;
  }
  auto reply = call.script->Run({.method = request.method,
                                 .target = request.target,
                                 .request_id = call.request_id,
                                 .peer = request.peer,
                                 .headers = request.headers,
                                 .body = request.body});
  if (!reply) return FailureReply(reply.error(), call.request_id);
  http::Response response;
  response.status = reply->status;
  for (const auto& [name, value] : reply->headers) response.headers.Add(name, value);
  response.headers.Set(kFailedHeader, reply->run_failed ? "True" : "False");
  if (reply->run_ms) SetRunTime(*reply->run_ms, response);
  response.body = std::move(reply->body);
  return response;
}

http::Response SwaggerOfScript(Call& call) {
  const std::shared_ptr<const ScriptFacts> facts = call.script->facts();
  if (facts->swagger.empty()) {
    return Refusal(404,
                   "the script has no description: decorate run() with @input_schema and "
                   "@output_schema, or put swagger2.json or swagger3.json beside it");
  }
  const std::string version = call.target.Query("version", "2");
  if (const auto found = facts->swagger.find(version); found != facts->swagger.end()) {
    http::Response response = http::JsonResponse(200, found->second);
    response.headers.Set(kFailedHeader, "False");
    return response;
  }
  std::string there;
  for (const auto& [known, document] : facts->swagger) there += (there.empty() ? "" : ", ") + known;
  return Refusal(404, fmt::format("Swagger version [{}] is not valid. Supported versions: [{}].",
                                  version.substr(0, 40), there));
}

}  // namespace slipway::server
