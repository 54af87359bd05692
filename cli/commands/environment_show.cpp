// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/environment.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Show(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  const Json found = TRY(remote->Get(remote->InWorkspace("/environments/" + EncodePercent(name))));
  return context.PrintObject(found, EnvironmentRows());
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME", *name, "The environment").required();
  return [name](Context& context) { return Show(context, *name); };
}

}  // namespace

Command commands_environment_show() {
  return {.path = "environment show",
          .summary = "Show an environment; its deployment with -o yaml",
          .example = "slipway environment show production -o yaml",
          .bind = Bind};
}

}  // namespace slipway::cli
