// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Delete(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  TRY(remote->Delete("/api/v1/workspaces/" + EncodePercent(name)));
  context.Progress("workspace '" + name + "' deleted");
  return {};
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME", *name, "Its name").required();
  return [name](Context& context) { return Delete(context, *name); };
}

}  // namespace

Command commands_workspace_delete() {
  return {.path = "workspace delete",
          .summary = "Delete a workspace that has nothing in it any more",
          .example = "slipway workspace delete vision",
          .bind = Bind};
}

}  // namespace slipway::cli
