// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> MakeDefaultWorkspace(Context& context, Connection connection) {
  Remote* remote = context.Connect(std::move(connection));
  const Json workspaces = TRY(remote->List("/api/v1/workspaces"));
  if (!workspaces.empty()) return {};
  TRY(remote->Post("/api/v1/workspaces", Json{{"name", "default"}, {"exist_ok", true}}));
  context.Progress("workspace 'default' created");
  return {};
}

Result<void> Up(Context& context, const StartOptions& start) {
  const auto state = TRY(context.state_folder());
  auto service = TRY(RunningService(state));
  const bool running = service.has_value();
  if (!running) service = TRY(StartService(context, state, start));
  const std::string port = ":" + std::to_string(start.port);
  if (running && start.port != 0 && !service->address.ends_with(port)) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "it runs already, and listens on " + service->address,
                 .id = "Service.Running",
                 .fix = "slipway down, then slipway up --port " + std::to_string(start.port)};
  }
  context.Progress(running ? "running already" : "started");
  Connection connection = TRY(LocalConnection(state, *service));
  TRY(MakeDefaultWorkspace(context, std::move(connection)));
  return context.PrintObject(
      Json{{"endpoint", service->address},
           {"pid", service->process.pid},
           {"state_folder", state.string()}},
      {{"endpoint", "endpoint"}, {"process id", "pid"}, {"state folder", "state_folder"}});
}

Body Bind(Options& options) {
  auto start = std::make_shared<StartOptions>();
  options.add_option("--port", start->port, "Port on 127.0.0.1; any free one if not given")
      .within(0, 65535);
  options.add_option("--timeout", start->timeout_seconds, "How long to wait until it is ready")
      .type_name("SECONDS")
      .capture_default_str();
  return [start](Context& context) { return Up(context, *start); };
}

}  // namespace

Command commands_up() {
  return {.path = "up",
          .summary = "Start a local workspace service, if it does not run",
          .example = "slipway up --port 8080",
          .bind = Bind};
}

}  // namespace slipway::cli
