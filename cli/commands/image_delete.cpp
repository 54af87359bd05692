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
  TRY(remote->Delete(remote->InWorkspace(VersionPath("images", name))));
  context.Progress("image '" + text + "' deleted");
  return {};
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME:VERSION", *name, "The image version").required();
  return [name](Context& context) { return Delete(context, *name); };
}

}  // namespace

Command commands_image_delete() {
  return {.path = "image delete",
          .summary = "Delete an image version that no service uses",
          .example = "slipway image delete digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
