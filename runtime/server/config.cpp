// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/byte_size.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Config.Invalid"};
}

Result<std::string> VersionText(const Json& model) {
  const auto found = model.find("version");
  if (found == model.end()) return std::string("1");
  if (found->is_number_integer()) return found->dump();
  if (found->is_string() && !found->get_ref<const std::string&>().empty()) {
    return found->get<std::string>();
  }
  return Bad("member 'version' must be a text or a whole number");
}

Result<ModelConfig> ReadModel(const Json& json, const fs::path& base, const fs::path& root) {
  TRY(OnlyKnownFields(json, {"name", "version", "path"}));
  ModelConfig model;
  model.name = TRY(GetString(json, "name"));
  model.version = TRY(VersionText(json));
  const fs::path path = TRY(GetString(json, "path"));
  if (model.name.empty() || path.empty()) return Bad("members 'name' and 'path' must not be empty");
  model.path = path.is_absolute() ? Rooted(path, root) : base / path;
  return model;
}

/// A path of the configuration: relative ones lie beside it.
fs::path PathFrom(const std::string& text, const fs::path& base, const fs::path& root) {
  const fs::path path = text;
  return path.is_absolute() ? Rooted(path, root) : base / path;
}

Result<std::vector<fs::path>> ReadPaths(const Json& json, const char* name, const fs::path& base,
                                        const fs::path& root) {
  std::vector<fs::path> paths;
  const auto list = json.find(name);
  if (list == json.end() || list->is_null()) return paths;
  if (!list->is_array()) return Bad(fmt::format("member '{}' must be a list of paths", name));
  for (const Json& item : *list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
      return Bad(fmt::format("member '{}' must be a list of paths", name));
    }
    paths.push_back(PathFrom(item.get<std::string>(), base, root));
  }
  return paths;
}

Result<ScriptConfig> ReadScript(const Json& json, const fs::path& base, const fs::path& root) {
  TRY(OnlyKnownFields(
      json, {"entry", "source_directory", "python", "python_path", "library_path", "loader"}));
  ScriptConfig script{.root = root};
  const std::string entry = TRY(GetString(json, "entry"));
  if (entry.empty()) return Bad("member 'entry' must not be empty");
  script.entry = PathFrom(entry, base, root);
  const std::string source = TRY(GetStringOr(json, "source_directory", ""));
  script.source_directory =
      source.empty() ? script.entry.parent_path() : PathFrom(source, base, root);
  script.app_root = script.source_directory;
  script.python = TRY(GetStringOr(json, "python", script.python.string()));
  script.loader = TRY(GetStringOr(json, "loader", script.loader.string()));
  script.python_path = TRY(ReadPaths(json, "python_path", base, root));
  script.library_path = TRY(ReadPaths(json, "library_path", base, root));
  return script;
}

Result<std::vector<ModelConfig>> ReadModels(const Json& json, const fs::path& base,
                                            const fs::path& root) {
  std::vector<ModelConfig> models;
  for (const Json& item : json) {
    ModelConfig model = TRY(ReadModel(item, base, root));
    for (const ModelConfig& other : models) {
      if (other.name == model.name && other.version == model.version) {
        return Bad(fmt::format("model {}:{} is listed twice", model.name, model.version));
      }
    }
    models.push_back(std::move(model));
  }
  return models;
}

/// A number of bytes, as a number or as text such as `512M`; 0 where the member is not there.
Result<std::int64_t> ReadMemoryLimit(const Json& json) {
  const auto found = json.find("memory_limit");
  if (found == json.end() || found->is_null()) return std::int64_t{0};
  if (!found->is_string() && !found->is_number_integer()) {
    return Bad("member 'memory_limit' must be a number of bytes, or text such as \"512M\"");
  }
  const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  auto bytes = ParseBytes("member 'memory_limit'", text);
  if (bytes) return bytes;
  Error error = std::move(bytes).error();
  error.id = "Config.Invalid";
  return error;
}

Result<void> ReadLimits(const Json& json, ServeConfig& config) {
  config.memory_bytes = TRY(ReadMemoryLimit(json));
  if (const auto time = json.find("time_limit"); time != json.end() && !time->is_null()) {
    if (!time->is_number()) return Bad("member 'time_limit' must be a number of seconds");
    config.time_limit = TRY(TimeLimit("member 'time_limit'", time->get<double>()));
  }
  if (!config.script || (config.memory_bytes == 0 && !config.time_limit)) return {};
  Error error = Bad("members 'memory_limit' and 'time_limit' are of models, and a script answers");
  error.fix = "bound a script by SLIPWAY_WORKER_MEMORY_MB, WORKER_TIMEOUT and SCORING_TIMEOUT_MS";
  return error;
}

/// `what` names where it is called so.
Result<runtime::Precision> PrecisionCalled(std::string_view what, std::string_view name) {
  auto precision = runtime::PrecisionFromName(name);
  if (!precision) return Bad(fmt::format("{}: {}", what, precision.error().message));
  return precision;
}

Result<ServeConfig> FromJson(const Json& json, const fs::path& base, const fs::path& root) {
  TRY(OnlyKnownFields(json, {"models", "port", "script", "memory_limit", "time_limit",
                             "deterministic", "precision"}));
  ServeConfig config;
  const std::int64_t port = TRY(GetIntOr(json, "port", config.port));
  if (port < 0 || port > 65535) return Bad(fmt::format("port {} is not in [0, 65535]", port));
  config.port = static_cast<int>(port);
  if (const auto script = json.find("script"); script != json.end() && !script->is_null()) {
    auto read = ReadScript(*script, base, root);
    if (!read) return Within("member 'script'", std::move(read).error());
    config.script = *std::move(read);
  }
  TRY(ReadLimits(json, config));
  config.deterministic = TRY(GetBoolOr(json, "deterministic", false));
  const std::string precision = TRY(GetStringOr(json, "precision", "fp32"));
  config.precision = TRY(PrecisionCalled("member 'precision'", precision));
  const auto models = json.find("models");
  const bool listed = models != json.end() && models->is_array();
  if (listed) config.models = TRY(ReadModels(*models, base, root));
  const bool wrong_type = models != json.end() && !listed;
  if (wrong_type || (config.models.empty() && !config.script)) {
    return Bad("member 'models' must be a list of at least one model");
  }
  return config;
}

std::vector<fs::path> Children(const fs::path& folder) {
  std::vector<fs::path> children;
  std::error_code error;
  for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    children.push_back(it->path());
  }
  std::sort(children.begin(), children.end());
  return children;
}

void CollectModelFiles(const fs::path& folder, int depth, std::vector<fs::path>& found) {
  std::error_code error;
  for (const fs::path& child : Children(folder)) {
    if (child.extension() == ".onnx" && fs::is_regular_file(child, error)) found.push_back(child);
    if (depth > 0 && fs::is_directory(child, error)) CollectModelFiles(child, depth - 1, found);
  }
}

Result<bool> Truth(std::string_view name, std::string_view text) {
  if (text.empty() || text == "0" || text == "false") return false;
  if (text == "1" || text == "true") return true;
  return Bad(fmt::format("{} must be 0, 1, false or true, not '{}'", name, text));
}

Result<Environment> WithTimeout(Environment environment, std::string_view text) {
  std::int64_t ms = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms <= 0) {
    return Bad(fmt::format("SCORING_TIMEOUT_MS must be a number of milliseconds, not '{}'", text));
  }
  environment.scoring_timeout = std::chrono::milliseconds(ms);
  return environment;
}

Result<std::int64_t> ModelMemory(const std::string& text) {
  constexpr std::int64_t kMegabytesMax = std::int64_t{1} << 40;
  if (text.empty()) return std::int64_t{0};
  std::int64_t megabytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), megabytes);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && megabytes >= 0 && megabytes <= kMegabytesMax) return megabytes << 20;
  return Bad(fmt::format("SLIPWAY_MODEL_MEMORY_MB must be 0 to {} megabytes, not '{}'",
                         kMegabytesMax, text));
}

Result<std::chrono::milliseconds> StopDelay(const std::string& text) {
  constexpr std::int64_t kMsMax = 600'000;
  if (text.empty()) return std::chrono::milliseconds(0);
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms > kMsMax) {
    return Bad(
        fmt::format("SLIPWAY_STOP_DELAY_MS must be 0 to {} milliseconds, not '{}'", kMsMax, text));
  }
  return std::chrono::milliseconds(ms);
}

}  // namespace

fs::path Rooted(const fs::path& path, const fs::path& root) {
  if (root.empty() || !path.is_absolute()) return path;
  const fs::path normal_root = fs::absolute(root).lexically_normal();
  const fs::path relative = path.lexically_normal().lexically_relative(normal_root);
  if (!relative.empty() && *relative.begin() != "..") return path;
  return root / path.relative_path();
}

Result<std::chrono::milliseconds> TimeLimit(std::string_view what, double seconds) {
  constexpr double kSecondsMax = 1e9;
  if (seconds > 0 && seconds <= kSecondsMax) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
  }
  return Bad(fmt::format("{} must be more than 0 and at most {} seconds, not {}", what, kSecondsMax,
                         seconds));
}

Result<ServeConfig> ReadConfig(const fs::path& file, const fs::path& root) {
  const fs::path path = Rooted(file, root);
  const std::string doing = "reading " + path.string();
  auto text = ReadFile(path, limits::kJsonBytes);
  if (!text) return std::move(text).error();
  auto json = ParseJson(*text);
  if (!json) return Within(doing, std::move(json).error());
  auto config = FromJson(*json, path.parent_path(), root);
  if (!config) return Within(doing, std::move(config).error());
  return config;
}

Result<fs::path> ModelFile(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (fs::exists(path, error)) return path;
    return Error{.code = Code::kNotFound,
                 .message = "model file " + path.string() + " does not exist",
                 .id = "Model.FileMissing"};
  }
  std::vector<fs::path> found;
  CollectModelFiles(path, 1, found);
  if (found.size() == 1) return found.front();
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("folder {} holds {} .onnx files, one is wanted",
                                      path.string(), found.size()),
               .id = "Model.FileAmbiguous",
               .fix = "name the file itself"};
}

Result<std::vector<ModelConfig>> FindModels(const fs::path& folder) {
  std::vector<fs::path> direct;
  CollectModelFiles(folder, 0, direct);
  const fs::path clean = fs::absolute(folder).lexically_normal();
  const fs::path here = clean.has_filename() ? clean : clean.parent_path();
  std::vector<ModelConfig> models;
  if (!direct.empty()) {
    models.push_back({.name = here.parent_path().filename().string(),
                      .version = here.filename().string(),
                      .path = folder});
    return models;
  }
  std::error_code error;
  for (const fs::path& name : Children(folder)) {
    for (const fs::path& version : Children(name)) {
      std::vector<fs::path> files;
      if (fs::is_directory(version, error)) CollectModelFiles(version, 1, files);
      if (files.empty()) continue;
      models.push_back({.name = name.filename().string(),
                        .version = version.filename().string(),
                        .path = version});
    }
  }
  if (models.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = "no .onnx model below AZUREML_MODEL_DIR " + folder.string(),
                 .id = "Model.FileMissing"};
  }
  return models;
}

Result<Environment> ReadEnvironment(const GetVariable& get) {
  Environment environment;
  auto read = [&get](const char* name) {
    const char* value = get(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (auto name = read("SERVICE_NAME"); !name.empty()) environment.service_name = name;
  if (auto version = read("SERVICE_VERSION"); !version.empty()) {
    environment.service_version = version;
  }
  environment.path_prefix = read("SERVICE_PATH_PREFIX");
  while (environment.path_prefix.ends_with('/')) environment.path_prefix.pop_back();
  if (!environment.path_prefix.empty() && !environment.path_prefix.starts_with('/')) {
    environment.path_prefix.insert(0, "/");
  }
  environment.model_folder = read("AZUREML_MODEL_DIR");
  environment.cors_origins = read("AML_CORS_ORIGINS");
  environment.stop_delay = TRY(StopDelay(read("SLIPWAY_STOP_DELAY_MS")));
  environment.model_memory_bytes = TRY(ModelMemory(read("SLIPWAY_MODEL_MEMORY_MB")));
  environment.deterministic = TRY(Truth("SLIPWAY_DETERMINISTIC", read("SLIPWAY_DETERMINISTIC")));
  if (const std::string precision = read("SLIPWAY_PRECISION"); !precision.empty()) {
    environment.precision = TRY(PrecisionCalled("SLIPWAY_PRECISION", precision));
  }
  const std::string timeout = read("SCORING_TIMEOUT_MS");
  if (timeout.empty()) return environment;
  return WithTimeout(std::move(environment), timeout);
}

}  // namespace slipway::server
