// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
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
  std::vector<std::string> children, samples;
  api::RegisterModel model;
  Labels labels;
};

Result<void> Register(Context& context, const Arguments& arguments) {
  api::RegisterModel model = arguments.model;
  model.tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  model.properties = TRY(ParsePairs("--property", arguments.labels.properties));
  model.description = arguments.labels.description;
  Remote* remote = TRY(context.remote());
  std::vector<ModelSource> files =
      TRY(FindModelFiles(context.folder() / arguments.path, arguments.children));
  std::vector<std::filesystem::path> samples;
  for (const std::string& sample : arguments.samples) samples.push_back(context.folder() / sample);
  TRY(AddSamples(samples, model.main_file, files));
  const Json made = TRY(RegisterFiles(context, *remote, files, std::move(model)));
  return context.PrintObject(made, ModelRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("PATH", arguments->path, "Model file, or folder that is the model").required();
  options.add_option("--name", arguments->model.name, "Name of the model").required();
  AddLabelOptions(options, arguments->labels);
  options.add_option("--framework", arguments->model.framework, "ONNX, or what it was made with");
  options.add_option("--framework-version", arguments->model.framework_version, "Its version");
  options
      .add_option("--main-file", arguments->model.main_file,
                  "File of the folder to load; its only .onnx file if not given")
      .type_name("PATH");
  options
      .add_option("--child", arguments->children,
                  "Take only this of the folder; may be given again")
      .type_name("PATH")
      .one_each_time();
  options
      .add_option("--sample", arguments->samples,
                  "Folder of a golden sample: input_K.pb and output_K.pb, or request.json and "
                  "response.json; may be given again")
      .type_name("DIR")
      .one_each_time();
  return [arguments](Context& context) { return Register(context, *arguments); };
}

}  // namespace

Command commands_model_register() {
  return {.path = "model register",
          .summary = "Register a model file or folder as the next version of a name",
          .example = "slipway model register digits.onnx --name digits --tag stage=dev",
          .bind = Bind};
}

}  // namespace slipway::cli
