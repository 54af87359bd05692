// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context) {
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List(remote->InWorkspace("/services")));
  return context.PrintList(items, {{"NAME", "name"},
                                   {"STATE", "state"},
                                   {"TARGET", "target"},
                                   {"IMAGE", "image"},
                                   {"REVISION", "revision"},
                                   {"SCORING URI", "scoring_uri"}});
}

Body Bind(Options&) { return List; }

}  // namespace

Command commands_service_list() {
  return {.path = "service list",
          .summary = "List the services",
          .example = "slipway service list",
          .bind = Bind};
}

}  // namespace slipway::cli
