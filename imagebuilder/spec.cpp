// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "imagebuilder/elf.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/run_steps.h"

namespace slipway::imagebuilder {
namespace {

Result<void> CheckText(std::string_view what, std::string_view text) {
  if (!IsUtf8(text) || text.find('\0') != std::string_view::npos) {
    return SpecError(fmt::format("{} is not UTF-8 text without zero bytes", what));
  }
  return {};
}

Result<void> CheckFile(const ModelInput& model, const ModelInput::File& file) {
  if (!IsUtf8(file.path))
    return SpecError(fmt::format("model {}: a path is not UTF-8", model.name));
  if (const auto names = SplitPath(file.path); !names) {
    return SpecError(fmt::format("model {}: {}", model.name, names.error().message));
  }
  if (!file.digest.empty() && !Digest::Parse(file.digest)) {
    return SpecError(fmt::format("model {}: {} is no digest", model.name, file.digest));
  }
  return {};
}

Result<void> CheckModel(const ModelInput& model, bool with_script) {
  const auto names = SplitPath(model.name);
  if (!names || names->size() != 1 || !IsUtf8(model.name)) {
    return SpecError(fmt::format("{} cannot be a model's folder", model.name));
  }
  if (model.version < 1) {
    return SpecError(
        fmt::format("model {}: version {} is not positive", model.name, model.version));
  }
  if (model.files.empty()) return SpecError(fmt::format("model {} has no files", model.name));
  if (static_cast<std::int64_t>(model.files.size()) > limits::kModelFiles) {
    return SpecError(fmt::format("model {} has {} files, {} are allowed", model.name,
                                 model.files.size(), limits::kModelFiles));
  }
  for (const ModelInput::File& file : model.files) TRY(CheckFile(model, file));
  // A script loads its models itself, whatever they are.
  if (with_script && model.main_file.empty()) return {};
  if (std::ranges::find(model.files, model.main_file, &ModelInput::File::path) ==
      model.files.end()) {
    return SpecError(fmt::format("model {}: its main file {} is not one of its files", model.name,
                                 model.main_file));
  }
  return {};
}

Result<void> CheckScript(const PythonSpec& script) {
  std::set<std::string> paths;
  for (const AppFile& file : script.files) {
    const auto names = SplitPath(file.path);
    if (!names || !IsUtf8(file.path)) {
      return SpecError(fmt::format("{} is no path for a file of the image", file.path));
    }
    if (fmt::format("{}/{}", kAppRoot, names->front()) == kModelsFolder) {
      return SpecError(fmt::format("{}: that folder holds the models", file.path));
    }
    if (!paths.insert(file.path).second) {
      return SpecError(fmt::format("{} is given twice", file.path));
    }
  }
  if (!paths.contains(script.entry)) {
    return SpecError(fmt::format("the script {} is none of the files", script.entry));
  }
  return {};
}

Result<void> CheckMaps(const BuildSpec& spec) {
  for (const auto& [name, value] : spec.environment) {
    TRY(CheckText(fmt::format("environment variable {}", name), name + value));
    if (name.empty() || name.find('=') != std::string::npos) {
      return SpecError(fmt::format("{} cannot be an environment variable's name", name));
    }
  }
  for (const auto& [name, value] : spec.labels) {
    TRY(CheckText(fmt::format("label {}", name), name + value));
    if (name.empty()) return SpecError("a label has no name");
  }
  return {};
}

std::string Title(const BuildSpec& spec) {
  std::vector<std::string> ids;
  for (const ModelInput& model : spec.models) {
    ids.push_back(fmt::format("{}:{}", model.name, model.version));
  }
  return Join(ids, ", ");
}

std::vector<std::string> Entrypoint(const ElfFacts& server) {
  std::vector<std::string> words;
  if (!server.interpreter.empty()) {
    const std::string loader = std::filesystem::path(server.interpreter).filename();
    words = {fmt::format("{}/{}", kLibraryFolder, loader), "--inhibit-cache", "--library-path",
             std::string(kLibraryFolder)};
  }
  words.insert(words.end(), {std::string(kServerProgram), "--config", std::string(kServerConfig)});
  return words;
}

std::map<std::string, std::string> BaseEnvironment(const BuildSpec& spec) {
  std::map<std::string, std::string> environment;
  if (spec.python) {
    environment = spec.python->base_environment;
    for (const auto& [name, value] : SettingsOf(spec.python->steps).environment) {
      environment[name] = value;
    }
  }
  environment["AML_APP_ROOT"] = kAppRoot;
  if (spec.models.size() == 1) {
    const ModelInput& only = spec.models.front();
    environment["AZUREML_MODEL_DIR"] = ModelFolder(only.name, only.version);
  } else {
    environment["AZUREML_MODEL_DIR"] = kModelsFolder;
  }
  if (!spec.python) return environment;
  environment["AZUREML_ENTRY_SCRIPT"] = spec.python->entry;
  environment.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  environment.try_emplace("LANG", "C.UTF-8");
  return environment;
}

}  // namespace

Result<BuildSpec> NormalSpec(const BuildSpec& spec) {
  if (spec.models.empty() && !spec.python) return SpecError("an image needs at least one model");
  if (spec.port < 1 || spec.port > 65535) {
    return SpecError(fmt::format("{} is no port", spec.port));
  }
  const bool with_script = spec.python != nullptr;
  for (const ModelInput& model : spec.models) TRY(CheckModel(model, with_script));
  if (with_script) TRY(CheckScript(*spec.python));
  TRY(CheckMaps(spec));
  BuildSpec normal = spec;
  std::ranges::sort(normal.models, {},
                    [](const ModelInput& model) { return std::tie(model.name, model.version); });
  const auto same =
      std::ranges::adjacent_find(normal.models, [](const ModelInput& a, const ModelInput& b) {
        return a.name == b.name && a.version == b.version;
      });
  if (same != normal.models.end()) {
    return SpecError(fmt::format("model {}:{} is given twice", same->name, same->version));
  }
  return normal;
}

Result<ImageConfig> MakeConfig(const BuildSpec& spec) {
  const auto program = TRY(MappedFile::Open(spec.server_program));
  auto server = ParseElf(program->bytes());
  if (!server)
    return SpecError(fmt::format("{}: {}", spec.server_program.string(), server.error().message));
  const std::string_view built_for = OciArchitecture(server->machine);
  if (built_for != spec.architecture) {
    return SpecError(fmt::format("{} is for {}, the image for {}", spec.server_program.string(),
                                 built_for.empty() ? "an unknown machine" : built_for,
                                 spec.architecture));
  }
  ImageConfig config{.architecture = spec.architecture,
                     .user = fmt::format("{}:{}", kUserId, kUserId),
                     .entrypoint = Entrypoint(*server),
                     .environment = BaseEnvironment(spec),
                     .labels = {{"org.opencontainers.image.title", Title(spec)},
                                {"org.opencontainers.image.vendor", "Slipway"}},
                     .working_folder = std::string(kAppRoot),
                     .port = spec.port};
  for (const auto& [name, value] : spec.environment) config.environment[name] = value;
  if (spec.python) {
    for (const auto& [name, value] : SettingsOf(spec.python->steps).labels) {
      config.labels[name] = value;
    }
  }
  for (const auto& [name, value] : spec.labels) config.labels[name] = value;
  return config;
}

}  // namespace slipway::imagebuilder
