// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"
#include "cli/upload.h"

namespace slipway::cli {
namespace {

Result<void> Plan(Context& context, const ImageArguments& arguments) {
  api::CreateImage wanted = TRY(ReadImageArguments(arguments));
  Remote* remote = TRY(context.remote());
  TRY(UploadScript(context, *remote, arguments.script, wanted));
  Json plan = TRY(remote->Post(remote->InWorkspace("/images/plan"), api::ToJson(wanted)));
  if (TRY(context.format()) != Format::kTable) return context.PrintObject(plan, {});
  Json layers = plan.value("layers", Json::array());
  for (Json& layer : layers) layer["state"] = layer.value("cached", false) ? "there" : "to build";
  TRY(context.PrintList(layers, {{"LAYER", "name"},
                                 {"STATE", "state"},
                                 {"UNPACKED", "unpacked_size", Column::Kind::kBytes},
                                 {"SIZE", "size", Column::Kind::kBytes},
                                 {"DIGEST", "digest"},
                                 {"WHAT", "summary"}}));
  const std::string digest = plan.value("digest", "");
  return context.Print("\nimage digest: " + (digest.empty() ? "known once built" : digest) + "\n");
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<ImageArguments>();
  AddImageOptions(options, *arguments);
  return [arguments](Context& context) { return Plan(context, *arguments); };
}

}  // namespace

Command commands_image_plan() {
  return {.path = "image plan",
          .summary = "What building an image would give; builds nothing",
          .example = "slipway image plan digits --model digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
