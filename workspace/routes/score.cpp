// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "workspace/route.h"
#include "workspace/services.h"
#include "workspace/store.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Whether a header field is between the caller and the scoring server, and goes through.
bool GoesThrough(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "content-type", "content-encoding", "accept",     "accept-encoding",
      "x-request-id", "traceparent",      "tracestate", "traceid"};
  const std::string lower = ToLower(name);
  if (lower.substr(0, 5) == "x-ms-") return true;
  for (const std::string_view known : kNames) {
    if (lower == known) return true;
  }
  return false;
}

Error Unreachable(Workspace& workspace, const ServiceRow& row, const Error& error) {
  const api::Service now = LookAtService(workspace, row);
  std::string detail = error.message;
  if (!now.detail.empty()) detail += "; " + now.detail;
  return Error{.code = error.code == Code::kDeadlineExceeded ? error.code : Code::kUnavailable,
               .message = "service \"" + now.name + "\" does not answer: " + detail,
               .id = "Service.Unreachable",
               .fix = "slipway service logs " + now.name,
               .cause = now.cause};
}

Result<http::Response> Score(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const ServiceRow row = TRY(workspace.store().GetService(call.Param("w"), call.Param("name")));
  if (row.service.endpoint.empty()) {
    return Unreachable(workspace, row,
                       {.code = Code::kUnavailable,
                        .message = "it is in state " + row.service.state + " and has no endpoint"});
  }
  http::Request request{.method = "POST",
                        .target = row.service.endpoint + "/score",
                        .body = std::move(call.request.body)};
  for (const auto& [name, value] : call.request.headers) {
    if (GoesThrough(name)) request.headers.Add(name, value);
  }
  if (row.deployment.auth_enabled) {
    request.headers.Set("Authorization", "Bearer " + row.deployment.primary_key);
  }
  Result<http::Response> answer = workspace.scoring_client().Send(request);
  if (!answer) return Unreachable(workspace, row, answer.error());
  http::Response response{.status = answer->status, .body = std::move(answer->body)};
  for (const auto& [name, value] : answer->headers) {
    if (GoesThrough(name)) response.headers.Add(name, value);
  }
  return response;
}

}  // namespace

RouteList routes_score() {
  static constexpr Route kRoutes[] = {
      {"POST", "/api/v1/workspaces/{w}/services/{name}/score", "Score by way of the workspace",
       Score, Role::kContributor, true},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
