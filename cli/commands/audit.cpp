// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string actor;
  bool all = false;
  std::int64_t lines = 100;
};

Result<void> Show(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string query =
      Query({{"actor", arguments.actor}, {"limit", std::to_string(arguments.lines)}});
  const std::string path = arguments.all ? "/api/v1/audit" : remote->InWorkspace("/audit");
  const Json page = TRY(remote->Get(path + query));
  return context.PrintList(page.value("items", Json::array()), {{"TIME", "time"},
                                                                {"WHO", "actor"},
                                                                {"ROLE", "role"},
                                                                {"METHOD", "method"},
                                                                {"PATH", "path"},
                                                                {"STATUS", "status"},
                                                                {"CODE", "code"},
                                                                {"OPERATION", "operation_state"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("--actor", arguments->actor, "Only what this token's holder did")
      .type_name("NAME");
  options.add_flag("--all", arguments->all, "Of all workspaces");
  options.add_option("--lines", arguments->lines, "How many, newest first").capture_default_str();
  return [arguments](Context& context) { return Show(context, *arguments); };
}

}  // namespace

Command commands_audit() {
  return {.path = "audit",
          .summary = "Show who changed what, when, and what came of it",
          .example = "slipway audit --actor ci",
          .bind = Bind};
}

}  // namespace slipway::cli
