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

struct Arguments {
  std::string path;
  ServiceArguments service;
  ScriptArguments script;
  Labels labels;
  WaitOptions wait;
};

/// Builds an image of the model with its script, under the service's name; gives its id.
Result<std::string> BuildScriptImage(Context& context, Remote& remote, const Arguments& arguments,
                                     const std::string& model) {
  api::CreateImage image{.name = arguments.service.service.name, .models = {model}};
  TRY(UploadScript(context, remote, arguments.script, image));
  const Json operation = TRY(remote.Post(remote.InWorkspace("/images"), api::ToJson(image)));
  const Json made =
      TRY(Await(context, remote, operation, {.timeout_seconds = arguments.wait.timeout_seconds}));
  return GetString(made, "id");
}

Result<void> Deploy(Context& context, const Arguments& arguments) {
  api::CreateService wanted = TRY(ReadServiceArguments(arguments.service, context.folder()));
  TRY(api::CheckServiceName(wanted.name));
  api::RegisterModel model;
  model.name = wanted.name;
  model.tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  model.properties = TRY(ParsePairs("--property", arguments.labels.properties));
  model.description = arguments.labels.description;
  Remote* remote = TRY(context.remote());
  const auto files = TRY(FindModelFiles(context.folder() / arguments.path, {}));
  const Json made = TRY(RegisterFiles(context, *remote, files, std::move(model)));
  const std::string id = TRY(GetString(made, "id"));
  context.Progress("  registered " + id);

  if (arguments.script.script.empty()) {
    wanted.model = id;
  } else {
    wanted.image = TRY(BuildScriptImage(context, *remote, arguments, id));
  }
  wanted.overwrite = true;
  const Json operation = TRY(remote->Post(remote->InWorkspace("/services"), api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("PATH", arguments->path, "Model file, or folder that is the model").required();
  options.add_option("--name", arguments->service.service.name, "Name of the model and the service")
      .required();
  AddServiceOptions(options, arguments->service);
  AddScriptOptions(options, arguments->script);
  AddLabelOptions(options, arguments->labels);
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Deploy(context, *arguments); };
}

}  // namespace

Command commands_deploy() {
  return {.path = "deploy",
          .summary = "Register a model, build its image and run it; again replaces the service",
          .example = "slipway deploy digits.onnx --name digits",
          .bind = Bind};
}

}  // namespace slipway::cli
