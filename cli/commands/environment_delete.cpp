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
  TRY(remote->Delete(remote->InWorkspace("/environments/" + EncodePercent(name))));
  context.Progress("deleted environment " + name);
  return {};
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME", *name, "The environment").required();
  return [name](Context& context) { return Delete(context, *name); };
}

}  // namespace

Command commands_environment_delete() {
  return {.path = "environment delete",
          .summary = "Delete an environment; its services stay",
          .example = "slipway environment delete staging",
          .bind = Bind};
}

}  // namespace slipway::cli
