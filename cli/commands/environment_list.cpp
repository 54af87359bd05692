// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context) {
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List(remote->InWorkspace("/environments")));
  return context.PrintList(items, {{"NAME", "name"},
                                   {"TARGET", "target"},
                                   {"GATES", "gates"},
                                   {"APPROVERS", "approvers"},
                                   {"DESCRIPTION", "description"}});
}

}  // namespace

Command commands_environment_list() {
  return {.path = "environment list",
          .summary = "List the environments that models are promoted to",
          .example = "slipway environment list",
          .bind = [](Options&) -> Body { return List; }};
}

}  // namespace slipway::cli
