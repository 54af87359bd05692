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
  Labels labels;
  std::vector<std::string> remove_tags;
  Option description;
};

Result<void> Update(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  const api::UpdateImage update{
      .has_description = arguments.description.given(),
      .description = arguments.labels.description,
      .add_tags = TRY(ParsePairs("--tag", arguments.labels.tags)),
      .add_properties = TRY(ParsePairs("--property", arguments.labels.properties)),
      .remove_tags = arguments.remove_tags};
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace(VersionPath("images", name));
  const Json image = TRY(remote->Patch(path, api::ToJson(update)));
  return context.PrintObject(image, ImageRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options
      .add_option("NAME[:VERSION]", arguments->name,
                  "The image; its newest version if none is given")
      .required();
  AddLabelOptions(options, arguments->labels);
  arguments->description = options.get_option("--description");
  options.add_option("--remove-tag", arguments->remove_tags, "Tag to take off; may be given again")
      .type_name("K")
      .one_each_time();
  return [arguments](Context& context) { return Update(context, *arguments); };
}

}  // namespace

Command commands_image_update() {
  return {.path = "image update",
          .summary = "Change tags and description of an image version, add properties",
          .example = "slipway image update digits:1 --tag stage=prod --remove-tag draft",
          .bind = Bind};
}

}  // namespace slipway::cli
