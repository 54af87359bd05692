// SPDX-License-Identifier: Apache-2.0
#include "workspace/services.h"

#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/deploy.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kLinesUsual = 5'000;
constexpr std::int64_t kLinesMax = 100'000;

Result<ServiceRow> Find(const Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return workspace.store().GetService(call.Param("w"), call.Param("name"));
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  const Page<ServiceRow> page = TRY(workspace.store().ListServices(call.Param("w"), wanted));
  std::vector<Json> items;
  for (const ServiceRow& row : page.items) items.push_back(ToJson(LookAtService(workspace, row)));
  return ListResponse(std::move(items), page.next);
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::CreateService>(call));
  return AcceptedResponse(TRY(StartServiceCreate(workspace, call.Param("w"), wanted)));
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(LookAtService(workspace, TRY(Find(call, workspace)))));
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::UpdateService>(call));
  TRY(Find(call, workspace));
  return AcceptedResponse(
      TRY(StartServiceUpdate(workspace, call.Param("w"), call.Param("name"), wanted,
                             std::string(call.request.headers.Get("If-Match")))));
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  TRY(Find(call, workspace));
  return AcceptedResponse(
      TRY(StartServiceDelete(workspace, call.Param("w"), call.Param("name"),
                             std::string(call.request.headers.Get("If-Match")))));
}

Result<http::Response> Logs(Call& call, Workspace& workspace) {
  const ServiceRow row = TRY(Find(call, workspace));
  const std::int64_t lines = TRY(ReadNumber(call, "lines", kLinesUsual));
  if (lines < 1 || lines > kLinesMax) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "lines " + std::to_string(lines) + " is not in 1 to " +
                            std::to_string(kLinesMax),
                 .id = "Request.Invalid"};
  }
  deployer::Driver* driver = TRY(workspace.targets().Find(row.service.target));
  Result<std::string> text = ReadServiceLogs(*driver, row, lines);
  if (!text && text.error().code != Code::kNotFound) return std::move(text).error();
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  if (text) response.body = *std::move(text);
  return response;
}

}  // namespace

RouteList routes_services() {
  static constexpr std::string_view kService = "/api/v1/workspaces/{w}/services/{name}";
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/services", "List the services", List, Role::kReader},
      {"POST", "/api/v1/workspaces/{w}/services", "Deploy an image, or a model, as a service",
       Create, Role::kDeployer},
      {"GET", kService, "Show a service as it is now", Show, Role::kReader},
      {"PATCH", kService, "Roll a service to another image, or change its settings", Update,
       Role::kDeployer},
      {"DELETE", kService, "Stop and delete a service", Delete, Role::kDeployer},
      {"GET", "/api/v1/workspaces/{w}/services/{name}/logs", "Read the last lines of its output",
       Logs, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
