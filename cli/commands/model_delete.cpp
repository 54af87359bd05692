// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Delete(Context& context, const std::string& text) {
  const VersionedName name = TRY(ParseExactVersion(text));
  Remote* remote = TRY(context.remote());
  TRY(remote->Delete(remote->InWorkspace(VersionPath("models", name))));
  context.Progress("model '" + text + "' deleted");
  return {};
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME:VERSION", *name, "The model version").required();
  return [name](Context& context) { return Delete(context, *name); };
}

}  // namespace

Command commands_model_delete() {
  return {.path = "model delete",
          .summary = "Delete a model version that no image uses",
          .example = "slipway model delete digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
