// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List(remote->InWorkspace("/images" + Query({{"name", name}}))));
  return context.PrintList(items, {{"ID", "id"},
                                   {"STATE", "state"},
                                   {"MODELS", "models"},
                                   {"SIZE", "size", Column::Kind::kBytes},
                                   {"DIGEST", "digest"},
                                   {"CREATED", "created_time"}});
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("--name", *name, "Only versions of this image");
  return [name](Context& context) { return List(context, *name); };
}

}  // namespace

Command commands_image_list() {
  return {.path = "image list",
          .summary = "List image versions",
          .example = "slipway image list --name digits",
          .bind = Bind};
}

}  // namespace slipway::cli
