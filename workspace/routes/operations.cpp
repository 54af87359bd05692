// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/event_stream.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  Page<api::Operation> page = TRY(workspace.store().ListOperations(call.Param("w"), wanted));
  for (api::Operation& operation : page.items) {
    if (operation.ended_time.empty()) operation = TRY(workspace.operations().Get(operation.id));
    operation.log.clear();
  }
  return PageResponse(page);
}

/// The operation of the path, if it is of a workspace that the caller may see.
Result<api::Operation> Find(const Call& call, Workspace& workspace) {
  const api::Operation operation = TRY(workspace.operations().Get(call.Param("id")));
  TRY(RequireWorkspace(call.principal, operation.workspace));
  return operation;
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(TRY(Find(call, workspace))));
}

Result<http::Response> Cancel(Call& call, Workspace& workspace) {
  const api::Operation operation = TRY(Find(call, workspace));
  if (!operation.kind.starts_with("image.")) {
    TRY(RequireRole(call.principal, Role::kDeployer, "cancelling " + operation.kind));
  }
  return AcceptedResponse(TRY(workspace.operations().Cancel(call.Param("id"))));
}

Result<http::Response> Events(Call& call, Workspace& workspace) {
  TRY(Find(call, workspace));
  const std::string_view last = call.request.headers.Get("Last-Event-ID");
  EventStreamOptions options{.operation_id = call.Param("id")};
  std::from_chars(last.data(), last.data() + last.size(), options.after);
  http::Response response;
  response.headers.Set("Content-Type", "text/event-stream");
  response.headers.Set("Cache-Control", "no-store");
  response.body_reader =
      TRY(OpenEventStream(workspace.operations(), workspace.event_streams(), options));
  return response;
}

}  // namespace

RouteList routes_operations() {
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/operations", "List the operations of a workspace", List,
       Role::kReader},
      {"GET", "/api/v1/operations/{id}", "Show an operation", Show, Role::kReader},
      {"DELETE", "/api/v1/operations/{id}", "Cancel an operation", Cancel, Role::kContributor},
      {"GET", "/api/v1/operations/{id}/events", "Follow an operation as server-sent events", Events,
       Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
