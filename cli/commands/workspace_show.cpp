// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Show(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  const std::string& wanted = name.empty() ? remote->connection().workspace : name;
  const Json found = TRY(remote->Get("/api/v1/workspaces/" + EncodePercent(wanted)));
  return context.PrintObject(found, WorkspaceRows());
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME", *name, "Its name; the current one if not given");
  return [name](Context& context) { return Show(context, *name); };
}

}  // namespace

Command commands_workspace_show() {
  return {.path = "workspace show",
          .summary = "Show a workspace",
          .example = "slipway workspace show vision -o yaml",
          .bind = Bind};
}

}  // namespace slipway::cli
