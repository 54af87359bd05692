// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Logs(Context& context, const std::string& text) {
  const VersionedName name = TRY(ParseVersionedName(text));
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace(VersionPath("images", name) + "/logs");
  return context.Print(TRY(remote->GetText(path)));
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  AddVersionedName(options, "image", *name);
  return [name](Context& context) { return Logs(context, *name); };
}

}  // namespace

Command commands_image_logs() {
  return {.path = "image logs",
          .summary = "Print what was said while an image was built",
          .example = "slipway image logs digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
