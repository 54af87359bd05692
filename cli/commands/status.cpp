// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Status(Context& context) {
  const auto state = TRY(context.state_folder());
  const auto service = TRY(RunningService(state));
  Json status{{"state", service ? "running" : "stopped"}, {"state_folder", state.string()}};
  if (service) {
    status["endpoint"] = service->address;
    status["pid"] = service->process.pid;
    Remote* remote = context.Connect(TRY(LocalConnection(state, *service)));
    Json names = Json::array();
    const Json workspaces = TRY(remote->List("/api/v1/workspaces"));
    for (const Json& workspace : workspaces) names.push_back(workspace.value("name", ""));
    status["workspaces"] = names;
  }
  TRY(context.PrintObject(status, {{"state", "state"},
                                   {"endpoint", "endpoint"},
                                   {"process id", "pid"},
                                   {"state folder", "state_folder"},
                                   {"workspaces", "workspaces"}}));
  if (service) return {};
  return Error{.code = Code::kUnavailable,
               .message = "no workspace service runs for " + state.string(),
               .id = "Service.NotRunning",
               .fix = "slipway up"};
}

Body Bind(Options&) { return Status; }

}  // namespace

Command commands_status() {
  return {.path = "status",
          .summary = "Whether the local workspace service runs, and where",
          .example = "slipway status -o json",
          .bind = Bind};
}

}  // namespace slipway::cli
