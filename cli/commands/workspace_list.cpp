// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context) {
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List("/api/v1/workspaces"));
  return context.PrintList(items, {{"NAME", "name"},
                                   {"LOCATION", "location"},
                                   {"CREATED", "created_time"},
                                   {"DESCRIPTION", "description"}});
}

Body Bind(Options&) { return List; }

}  // namespace

Command commands_workspace_list() {
  return {.path = "workspace list",
          .summary = "List the workspaces",
          .example = "slipway workspace list",
          .bind = Bind};
}

}  // namespace slipway::cli
