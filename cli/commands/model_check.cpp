// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "runtime/tools/check.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string file;
  std::int64_t dimension = 1;
};

Json Pairs(const std::vector<std::pair<std::string, std::int64_t>>& pairs) {
  Json object = Json::object();
  for (const auto& [name, number] : pairs) object[name.empty() ? "ai.onnx" : name] = number;
  return object;
}

Json Values(const std::vector<runtime::ValueInfo>& values) {
  Json list = Json::array();
  for (const auto& value : values) {
    list.push_back({{"name", value.name}, {"type", runtime::ShapedTypeText(value.type)}});
  }
  return list;
}

Json ToJson(const std::string& file, const runtime::ModelReport& report) {
  const runtime::ModelInfo& info = report.info;
  Json metadata = Json::object();
  for (const auto& [key, value] : info.metadata) metadata[key] = value;
  Json json{{"file", file},
            {"file_bytes", report.file_bytes},
            {"ir_version", info.ir_version},
            {"opsets", Pairs(info.opsets)},
            {"producer", info.producer_name + (info.producer_version.empty() ? "" : " ") +
                             info.producer_version},
            {"graph", info.graph_name},
            {"description", info.description},
            {"metadata", metadata},
            {"inputs", Values(report.inputs)},
            {"overridable_initializers", Values(report.overridable_initializers)},
            {"outputs", Values(report.outputs)},
            {"nodes", info.nodes},
            {"operators", Pairs(info.operators)},
            {"parameters", info.parameters},
            {"parameter_bytes", info.parameter_bytes},
            {"peak_note", report.peak_note},
            {"unsupported", report.unsupported}};
  json["peak_bytes"] = report.peak_bytes < 0 ? Json() : Json(report.peak_bytes);
  json["flops"] = report.flops < 0 ? Json() : Json(report.flops);
  return json;
}

Result<void> Check(Context& context, const Arguments& arguments) {
  const auto report =
      TRY(runtime::CheckModel(context.folder() / arguments.file, arguments.dimension));
  TRY(context.PrintObject(ToJson(arguments.file, report),
                          {{"file", "file"},
                           {"file size", "file_bytes", Column::Kind::kBytes},
                           {"producer", "producer"},
                           {"description", "description"},
                           {"opsets", "opsets", Column::Kind::kTags},
                           {"inputs", "inputs", Column::Kind::kSignature},
                           {"outputs", "outputs", Column::Kind::kSignature},
                           {"nodes", "nodes"},
                           {"operators", "operators", Column::Kind::kTags},
                           {"parameters", "parameters"},
                           {"parameter size", "parameter_bytes", Column::Kind::kBytes},
                           {"peak memory", "peak_bytes", Column::Kind::kBytes},
                           {"estimated", "peak_note"},
                           {"operations", "flops"},
                           {"metadata", "metadata", Column::Kind::kTags},
                           {"unsupported", "unsupported"}}));
  if (report.unsupported.empty()) return {};
  return Error{.code = Code::kUnimplemented,
               .message = arguments.file + ": no device here can run " + report.unsupported.front(),
               .id = "Model.UnsupportedOperator",
               .fix = "slipway ops lists what can be run"};
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("FILE", arguments->file, "An .onnx file").required();
  options
      .add_option("--dimension", arguments->dimension,
                  "Value of free dimensions, for the estimates")
      .within(std::int64_t{1}, std::int64_t{1} << 31)
      .capture_default_str();
  return [arguments](Context& context) { return Check(context, *arguments); };
}

}  // namespace

Command commands_model_check() {
  return {.path = "model check",
          .summary = "Read and validate a model file, and tell what is in it",
          .example = "slipway model check digits.onnx",
          .bind = Bind};
}

}  // namespace slipway::cli
