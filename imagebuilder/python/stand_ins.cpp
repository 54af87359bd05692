// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/stand_ins.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/unit.h"
#include "imagebuilder/python/requirement.h"

namespace slipway::imagebuilder {

std::span<const EmbeddedFile> driver_files();

namespace {

struct Module {
  std::string_view name;
  std::string_view version;  ///< that of the package whose interface the module has
  std::string_view needs;
};

constexpr std::string_view kRuntime = "1.20.1";
constexpr std::string_view kClient = "1.0.85";

constexpr std::array<Module, 7> kModules = {{{"azureml-contrib-services", kClient, ""},
                                             {"azureml-core", kClient, ""},
                                             {"azureml-defaults", kClient, ""},
                                             {"azureml-inference-server-http", "1.0.0", ""},
                                             {"azureml-sdk", kClient, ""},
                                             {"onnxruntime", kRuntime, "numpy"},
                                             {"onnxruntime-gpu", kRuntime, "numpy"}}};

/// Packages of this family may not be redistributed, and old ones have no wheel to be had.
constexpr std::string_view kClosed = "azureml-";

const Module* FindModule(std::string_view name) {
  const auto* found = std::ranges::find(kModules, NormalName(name), &Module::name);
  return found == kModules.end() ? nullptr : found;
}

std::filesystem::path WheelFolder(const std::filesystem::path& folder) {
  return folder / "stand-ins";
}

Json Describe(std::string_view version, std::string_view needs) {
  Json requires_list = Json::array();
  if (!needs.empty()) requires_list.push_back(needs);
  return {{"version", version}, {"requires", std::move(requires_list)}};
}

}  // namespace

StandIn StandInFor(std::string_view name) {
  if (FindModule(name) != nullptr) return StandIn::kModule;
  return NormalName(name).starts_with(kClosed) ? StandIn::kNothing : StandIn::kNone;
}

std::vector<std::string> StandInNames() {
  std::vector<std::string> names;
  for (const Module& module : kModules) names.emplace_back(module.name);
  return names;
}

std::vector<std::string> NeedsOfStandIn(std::string_view name) {
  const Module* module = FindModule(name);
  if (module == nullptr || module->needs.empty()) return {};
  return {std::string(module->needs)};
}

Result<std::vector<std::string>> WriteStandInPip(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& kept) {
  Json settings = {{"folder", WheelFolder(folder).string()},
                   {"names", Json::object()},
                   {"prefixes", {{kClosed, Describe(kClient, "")}}},
                   {"kept", Json::array()}};
  for (const Module& module : kModules) {
    settings["names"][std::string(module.name)] = Describe(module.version, module.needs);
  }
  for (const std::string& name : kept) settings["kept"].push_back(NormalName(name));
  const std::filesystem::path file = folder / "pip_stand_ins.json";
  TRY(WriteFileAtomic(file, DumpJson(settings)));
  std::string program = TRY(WriteDriver("pip_stand_ins.py", folder));
  return std::vector<std::string>{std::move(program), file.string()};
}

Result<std::string> WriteDriver(std::string_view name, const std::filesystem::path& folder) {
  const std::filesystem::path program = folder / name;
  for (const EmbeddedFile& embedded : driver_files()) {
    if (embedded.name != name) continue;
    TRY(WriteFileAtomic(program, embedded.text));
    return program.string();
  }
  return Error{.code = Code::kInternal, .message = fmt::format("there is no program {}", name)};
}

bool IsStandInUrl(std::string_view url, const std::filesystem::path& folder) {
  constexpr std::string_view kScheme = "file://";
  if (!url.starts_with(kScheme)) return false;
  const auto path = DecodePercent(url.substr(kScheme.size()));
  return path && path->starts_with(WheelFolder(folder).string() + "/");
}

}  // namespace slipway::imagebuilder
