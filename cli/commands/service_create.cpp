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
  ServiceArguments service;
  Labels labels;
  WaitOptions wait;
};

Result<void> Create(Context& context, const Arguments& arguments) {
  api::CreateService wanted = TRY(ReadServiceArguments(arguments.service, context.folder()));
  if (wanted.image.empty() == wanted.model.empty()) {
    return Error{
        .code = Code::kInvalidArgument, .message = "give either --image or --model", .id = "Usage"};
  }
  wanted.tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  wanted.properties = TRY(ParsePairs("--property", arguments.labels.properties));
  wanted.description = arguments.labels.description;
  Remote* remote = TRY(context.remote());
  const Json operation = TRY(remote->Post(remote->InWorkspace("/services"), api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  api::CreateService& service = arguments->service.service;
  options.add_option("NAME", service.name, "Its name").required();
  options.add_option("--image", service.image, "Image to run").type_name("NAME[:VERSION]");
  options.add_option("--model", service.model, "Model to build an image of")
      .type_name("NAME[:VERSION]");
  AddServiceOptions(options, arguments->service);
  options.add_flag("--overwrite", service.overwrite, "Replace a service of that name");
  AddLabelOptions(options, arguments->labels);
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Create(context, *arguments); };
}

}  // namespace

Command commands_service_create() {
  return {.path = "service create",
          .summary = "Run an image, or a model, as a service, and wait until it answers",
          .example = "slipway service create digits --image digits:1 --target process",
          .bind = Bind};
}

}  // namespace slipway::cli
