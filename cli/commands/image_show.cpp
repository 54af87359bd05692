// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
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
  const Json image = TRY(remote->Get(remote->InWorkspace(VersionPath("images", name))));
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

Body Bind(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME[:VERSION]", *name, "The image; its newest version if none is given")
      ->required();
  return [name](Context& context) { return Show(context, *name); };
}

}  // namespace

Command commands_image_show() {
  return {.path = "image show",
          .summary = "Show an image and its layers",
          .example = "slipway image show digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
