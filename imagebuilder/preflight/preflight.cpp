// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/preflight/preflight.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/python/python_place.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kTimeout{60};

Error CheckerFailed(std::string why) {
  return {.code = Code::kInternal,
          .message = "the check of the scoring script failed: " + std::move(why),
          .id = "Image.Preflight",
          .fix = "--preflight off builds without it"};
}

Json PortsJson(const std::vector<PreflightPort>& ports) {
  Json json = Json::array();
  for (const PreflightPort& port : ports)
    json.push_back({{"name", port.name}, {"type", port.type}});
  return json;
}

Json RequestJson(const PreflightInput& input, const PythonPlace& python, const std::string& path) {
  Json models = Json::array();
  for (const PreflightModel& model : input.models) {
    models.push_back({{"name", model.name},
                      {"version", model.version},
                      {"inputs", PortsJson(model.inputs)},
                      {"outputs", PortsJson(model.outputs)}});
  }
  return {{"script", path},
          {"models", std::move(models)},
          {"requirements", input.requirements},
          {"dependencies", input.dependencies},
          {"python_version", python.version}};
}

}  // namespace

std::string PreflightKey(const PreflightInput& input, const PythonPlace& python) {
  const std::string script = Digest::OfText(input.script).text();
  return "preflight " + Digest::OfText(DumpJson(RequestJson(input, python, script))).text();
}

Result<std::string> RunPreflight(const PreflightInput& input, const fs::path& root,
                                 const PythonPlace& python, const fs::path& checker,
                                 const fs::path& scratch, const WorkHooks& hooks) {
  const fs::path folder = scratch / "preflight";
  TRY(MakeFolders(folder));
  const fs::path script = folder / "score.py", request = folder / "request.json";
  TRY(WriteFileAtomic(script, input.script));
  TRY(WriteFileAtomic(request, DumpJson(RequestJson(input, python, script.string()))));
  std::vector<std::string> argv = PythonCommand(root, python);
  argv.insert(argv.end(), {"-B", checker.string(), request.string()});
  const CommandOutcome outcome = TRY(RunCommand({.argv = std::move(argv),
                                                 .environment = PythonEnvironment(root, python, {}),
                                                 .scratch = folder,
                                                 .timeout = kTimeout},
                                                hooks));
  if (outcome.status != 0) return CheckerFailed(std::string(Trim(outcome.output)));
  return outcome.output;
}

Result<std::vector<Finding>> ReadFindings(std::string_view text) {
  const auto json = ParseJson(text);
  if (!json || !json->is_array()) return CheckerFailed("its answer is no list of findings");
  std::vector<Finding> findings;
  for (const Json& item : *json) {
    Finding finding;
    finding.code = TRY(GetString(item, "code"));
    finding.message = TRY(GetString(item, "message"));
    finding.fix = TRY(GetStringOr(item, "fix", ""));
    finding.error = TRY(GetString(item, "severity")) == "error";
    finding.line = TRY(GetIntOr(item, "line", 0));
    finding.column = TRY(GetIntOr(item, "column", 0));
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace slipway::imagebuilder
