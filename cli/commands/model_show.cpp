// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Show(Context& context, const std::string& text) {
  const VersionedName name = TRY(ParseVersionedName(text));
  Remote* remote = TRY(context.remote());
  const Json model = TRY(remote->Get(remote->InWorkspace(VersionPath("models", name))));
  return context.PrintObject(model, ModelRows());
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  AddVersionedName(options, "model", *name);
  return [name](Context& context) { return Show(context, *name); };
}

}  // namespace

Command commands_model_show() {
  return {.path = "model show",
          .summary = "Show a registered model",
          .example = "slipway model show digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
