// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "runtime/runtime.h"
#include "runtime/tools/tensor_file.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string file, folder, format = "npy";
  std::vector<std::string> inputs, outputs;
  SessionArguments session;
  bool explain = false;
  double time_limit = 0;
};

Error NoInput(const runtime::Model& model, const std::string& name) {
  std::string known;
  for (const auto& input : model.inputs()) {
    known += (known.empty() ? "" : ", ") + input.name + " " + runtime::ShapedTypeText(input.type);
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "the model has no input '" + name + "'",
               .id = "Input.Unknown",
               .fix = "its inputs: " + known};
}

const runtime::ValueInfo* FindInput(const runtime::Model& model, const std::string& name) {
  for (const auto& values : {model.inputs(), model.overridable_initializers()}) {
    for (const auto& value : values) {
      if (value.name == name) return &value;
    }
  }
  return nullptr;
}

/// `NAME=FILE`, or `FILE` for a model of one input.
Result<runtime::Feeds> ReadFeeds(const Context& context, const runtime::Model& model,
                                 const std::vector<std::string>& inputs) {
  runtime::Feeds feeds;
  for (const std::string& input : inputs) {
    const std::size_t equals = input.find('=');
    const bool named = equals != std::string::npos;
    if (!named && model.inputs().size() != 1) return NoInput(model, "");
    const std::string name = named ? input.substr(0, equals) : model.inputs()[0].name;
    const runtime::ValueInfo* info = FindInput(model, name);
    if (info == nullptr) return NoInput(model, name);
    const fs::path file = context.folder() / (named ? input.substr(equals + 1) : input);
    auto value = runtime::ReadTensorFile(file, info->type);
    if (!value) return Within("input '" + name + "'", std::move(value).error());
    feeds.emplace_back(name, *std::move(value));
  }
  return feeds;
}

std::string FileName(std::string name) {
  for (char& c : name) {
    if (c == '/' || c == '\0') c = '_';
  }
  return name.empty() || name.front() == '.' ? "_" + name : name;
}

Result<void> Write(Context& context, const Arguments& arguments,
                   const std::vector<std::string>& names,
                   const std::vector<runtime::Value>& values) {
  const fs::path folder = context.folder() / arguments.folder;
  TRY(MakeFolders(folder));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const fs::path file = folder / (FileName(names[i]) + "." + arguments.format);
    TRY(runtime::WriteTensorFile(file, names[i], values[i]));
    TRY(context.Print(file.lexically_normal().string() + "\n"));
  }
  return {};
}

Result<void> Print(Context& context, const std::vector<std::string>& names,
                   const std::vector<runtime::Value>& values) {
  OrderedJson outputs;
  Json sorted;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Json value = TRY(runtime::ValueToJson(values[i]));
    sorted[names[i]] = value;
    outputs[names[i]] = value;
  }
  if (!context.globals.output.empty() && TRY(context.format()) != Format::kTable) {
    return context.PrintObject(sorted, {});
  }
  return context.Print(DumpOrderedJson(outputs) + "\n");
}

Result<void> Run(Context& context, const Arguments& arguments) {
  const auto options = TRY(ReadSession(arguments.session));
  const auto tune = TRY(ReadTuning(arguments.session, context.folder()));
  runtime::RunLimits limits;
  if (arguments.time_limit > 0) {
    limits.deadline = std::chrono::steady_clock::now() +
                      std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                          std::chrono::duration<double>(arguments.time_limit));
  }
  const auto model = TRY(runtime::Model::Load(context.folder() / arguments.file));
  const auto feeds = TRY(ReadFeeds(context, model, arguments.inputs));
  const auto tuned =
      TRY(runtime::OpenTuned(model, context.folder() / arguments.file, options, tune, limits));
  if (!tuned.warning.empty()) context.Progress("warning: " + tuned.warning);
  const auto& session = tuned.session;
  if (arguments.explain) context.Text(TRY(session->Explain(feeds)));
  auto ran = session->Run(feeds, arguments.outputs, limits);
  if (!ran) {
    Error error = std::move(ran).error();
    if (error.id == "Input.Missing") error.fix = "--input NAME=FILE, a .pb, .npy or .json file";
    return error;
  }
  if (const auto kept = tuned.Save(); !kept) {
    context.Progress("warning: choices of kernels are not kept: " + kept.error().message);
  }
  const auto values = *std::move(ran);
  std::vector<std::string> names = arguments.outputs;
  if (names.empty()) {
    for (const auto& output : model.outputs()) names.push_back(output.name);
  }
  return arguments.folder.empty() ? Print(context, names, values)
                                  : Write(context, arguments, names, values);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("FILE", arguments->file, "An .onnx file").required();
  options
      .add_option("-i,--input", arguments->inputs,
                  "An input and the .pb, .npy or .json file that holds it; may be given again")
      .type_name("NAME=FILE")
      .one_each_time();
  options.add_option("--only", arguments->outputs, "Compute only this output; may be given again")
      .type_name("NAME")
      .one_each_time();
  options.add_option("-d,--folder", arguments->folder, "Write the outputs here, not as JSON")
      .type_name("DIR");
  options.add_option("--format", arguments->format, "Of the files in it: pb, npy, json")
      .one_of({"pb", "npy", "json"})
      .capture_default_str();
  AddSessionOptions(options, arguments->session);
  options.add_option("--time-limit", arguments->time_limit, "Give up after so long; 0: never")
      .type_name("SECONDS")
      .within(0.0, 1e9);
  options.add_flag("--explain", arguments->explain,
                   "Say on standard error which kernel runs each node, and why no other");
  return [arguments](Context& context) { return Run(context, *arguments); };
}

}  // namespace

Command commands_model_run() {
  return {.path = "model run",
          .summary = "Run a model file once",
          .example = "slipway model run digits.onnx -i image=seven.npy",
          .bind = Bind};
}

}  // namespace slipway::cli
