// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context, const std::string& environment) {
  Remote* remote = TRY(context.remote());
  const Json items =
      TRY(remote->List(remote->InWorkspace("/promotions" + Query({{"environment", environment}}))));
  return context.PrintList(items, {{"ID", "id"},
                                   {"STATE", "state"},
                                   {"MODEL", "model"},
                                   {"ENVIRONMENT", "environment"},
                                   {"BY", "requested_by"},
                                   {"DECIDED BY", "decided_by"},
                                   {"CREATED", "created_time"},
                                   {"ERROR", "error_code"}});
}

Body Bind(Options& options) {
  auto environment = std::make_shared<std::string>();
  options.add_option("--environment", *environment, "Only those to this one").type_name("ENV");
  return [environment](Context& context) { return List(context, *environment); };
}

}  // namespace

Command commands_promotion_list() {
  return {.path = "promotion list",
          .summary = "List what was promoted, where to, and by whom",
          .example = "slipway promotion list --environment production",
          .bind = Bind};
}

}  // namespace slipway::cli
