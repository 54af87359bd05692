// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, image, config;
  Labels labels;
  WaitOptions wait;
};

Result<void> Update(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace("/services/" + EncodePercent(arguments.name));
  api::UpdateService wanted{.image = arguments.image};
  wanted.has_description = !arguments.labels.description.empty();
  wanted.description = arguments.labels.description;
  wanted.has_tags = !arguments.labels.tags.empty();
  wanted.tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  wanted.add_properties = TRY(ParsePairs("--property", arguments.labels.properties));
  wanted.deployment = TRY(ReadDeployment(arguments.config, context.folder()));
  const Json operation = TRY(remote->Patch(path, api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options.add_option("--image", arguments->image, "Image to roll to").type_name("NAME[:VERSION]");
  options.add_option("--config", arguments->config, "Settings to change, YAML or JSON")
      .type_name("FILE");
  AddLabelOptions(options, arguments->labels);
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Update(context, *arguments); };
}

}  // namespace

Command commands_service_update() {
  return {.path = "service update",
          .summary = "Roll a service to another image, or change its settings",
          .example = "slipway service update digits --image digits:2",
          .bind = Bind};
}

}  // namespace slipway::cli
