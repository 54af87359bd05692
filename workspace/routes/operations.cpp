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

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(TRY(workspace.operations().Get(call.Param("id")))));
}

Result<http::Response> Cancel(Call& call, Workspace& workspace) {
  return AcceptedResponse(TRY(workspace.operations().Cancel(call.Param("id"))));
}

Result<http::Response> Events(Call& call, Workspace& workspace) {
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
      {"GET", "/api/v1/workspaces/{w}/operations", "List the operations of a workspace", List},
      {"GET", "/api/v1/operations/{id}", "Show an operation", Show},
      {"DELETE", "/api/v1/operations/{id}", "Cancel an operation", Cancel},
      {"GET", "/api/v1/operations/{id}/events", "Follow an operation as server-sent events",
       Events},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
