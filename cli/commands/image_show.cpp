// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name;
  bool lock = false, dockerfile = false;
};

Result<void> Show(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  Remote* remote = TRY(context.remote());
  if (arguments.lock) {
    return context.Print(
        TRY(remote->GetText(remote->InWorkspace(VersionPath("images", name) + "/lock"))));
  }
  const Json image = TRY(remote->Get(remote->InWorkspace(VersionPath("images", name))));
  if (arguments.dockerfile) return context.Print(image.value("generated_dockerfile", ""));
  TRY(context.PrintObject(image, ImageRows()));
  if (TRY(context.format()) != Format::kTable) return {};
  const Json layers = image.value("layers", Json::array());
  if (layers.empty()) return {};
  TRY(context.Print("\n"));
  return context.PrintList(layers, {{"LAYER", "name"},
                                    {"SIZE", "size", Column::Kind::kBytes},
                                    {"UNPACKED", "unpacked_size", Column::Kind::kBytes},
                                    {"DIGEST", "digest"},
                                    {"WHAT", "summary"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "image", arguments->name);
  options.add_flag("--lock", arguments->lock,
                   "Print its lock: the packages of its Python, by digest");
  options.add_flag("--dockerfile", arguments->dockerfile,
                   "Print a Dockerfile that makes one like it");
  return [arguments](Context& context) { return Show(context, *arguments); };
}

}  // namespace

Command commands_image_show() {
  return {.path = "image show",
          .summary = "Show an image and its layers",
          .example = "slipway image show digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
