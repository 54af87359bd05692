// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::int64_t kWorkersMax = 256, kQueueMax = 10'000;
constexpr std::int64_t kMillisecondsMax = std::int64_t{365} * 24 * 3600 * 1000;
constexpr double kMemoryShare = 0.9;

std::string Value(const GetVariable& get, const char* name) {
  const char* value = get(name);
  return std::string(Trim(value == nullptr ? "" : value));
}

struct Range {
  std::int64_t min, max;
};

/// A whole number, or nothing where the variable is not set.
Result<std::optional<std::int64_t>> Number(const GetVariable& get, const char* name, Range range) {
  const std::string text = Value(get, name);
  if (text.empty()) return std::optional<std::int64_t>();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < range.min ||
      number > range.max) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("{} must be a whole number in [{}, {}], not '{}'", name,
                                        range.min, range.max, text),
                 .id = "Config.Invalid"};
  }
  return std::optional<std::int64_t>(number);
}

Result<bool> Flag(const GetVariable& get, const char* name) {
  const std::string text = ToLower(Value(get, name));
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text.empty() || text == "false" || text == "0" || text == "no" || text == "off") return false;
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} must be true or false, not '{}'", name, text),
               .id = "Config.Invalid"};
}

}  // namespace

Result<ScriptSettings> ReadScriptSettings(const GetVariable& get, std::int64_t machine_bytes) {
  ScriptSettings settings;
  if (const auto n = TRY(Number(get, "WORKER_COUNT", {1, kWorkersMax}))) {
    settings.workers = static_cast<int>(*n);
  }
  if (const auto n = TRY(Number(get, "SCORING_TIMEOUT_MS", {1, kMillisecondsMax}))) {
    settings.scoring_timeout = milliseconds(*n);
  }
  if (const auto n = TRY(Number(get, "WORKER_TIMEOUT", {0, kMillisecondsMax / 1000}))) {
    settings.worker_timeout = milliseconds(*n == 0 ? kMillisecondsMax : *n * 1000);
  }
  settings.preload = TRY(Flag(get, "WORKER_PRELOAD"));
  if (const auto n = TRY(Number(get, "SLIPWAY_MAX_QUEUE", {0, kQueueMax}))) {
    settings.waiting_max = static_cast<int>(*n);
  }
  if (const auto n = TRY(Number(get, "SLIPWAY_MAX_QUEUE_WAIT_MS", {0, kMillisecondsMax}))) {
    settings.queue_wait = milliseconds(*n);
  }
  settings.memory_bytes =
      static_cast<std::int64_t>(static_cast<double>(machine_bytes) * kMemoryShare) /
      settings.workers;
  if (const auto n = TRY(Number(get, "SLIPWAY_WORKER_MEMORY_MB", {0, std::int64_t{1} << 40}))) {
    settings.memory_bytes = *n << 20;
  }
  return settings;
}

Result<std::vector<std::pair<std::string, std::string>>> ReadConfigFile(const fs::path& file) {
  const std::string doing = "reading AZUREML_CONFIG_FILE " + file.string();
  auto text = ReadFile(file, limits::kJsonBytes);
  if (!text) return Within(doing, std::move(text).error());
  auto json = ParseJson(*text);
  if (!json) return Within(doing, std::move(json).error());
  auto bad = [&doing](std::string message) {
    return Within(
        doing,
        {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Config.Invalid"});
  };
  if (!json->is_object()) return bad("a JSON object of variables is wanted");
  std::vector<std::pair<std::string, std::string>> variables;
  for (const auto& [name, value] : json->items()) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      return bad("'" + name + "' is no variable's name");
    }
    if (value.is_null()) continue;
    if (value.is_structured()) return bad("the value of " + name + " is no text or number");
    variables.emplace_back(name, value.is_string() ? value.get<std::string>() : DumpJson(value));
  }
  return variables;
}

ScriptConfig WithEnvironment(ScriptConfig config, const GetVariable& get, const fs::path& root) {
  if (const std::string app = Value(get, "AML_APP_ROOT"); !app.empty()) {
    config.app_root = Rooted(app, root);
  }
  if (const std::string source = Value(get, "AZUREML_SOURCE_DIRECTORY"); !source.empty()) {
    const fs::path path = Rooted(source, root);
    config.source_directory = path.is_absolute() ? path : config.app_root / path;
  }
  std::string entry = Value(get, "AZUREML_ENTRY_SCRIPT");
  if (entry.empty()) entry = Value(get, "AML_ENTRY_SCRIPT");
  if (!entry.empty()) config.entry = Rooted(entry, root);
  if (config.source_directory.empty()) {
    config.source_directory =
        config.entry.is_absolute() ? config.entry.parent_path() : config.app_root;
  }
  if (config.app_root.empty()) config.app_root = config.source_directory;
  if (!config.entry.empty() && config.entry.is_relative()) {
    std::error_code error;
    const fs::path beside = config.source_directory / config.entry;
    config.entry = fs::exists(beside, error) ? beside : config.app_root / config.entry;
  }
  return config;
}

fs::path ModelFolder(const std::vector<ModelConfig>& models) {
  if (models.empty()) return {};
  const fs::path first = models.front().path.lexically_normal();
  fs::path folder;
  std::vector<fs::path> parts(first.begin(), first.end());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    folder /= parts[i];
    if (parts[i] != "azureml-models") continue;
    if (models.size() > 1 || i + 2 >= parts.size()) return folder;
    return folder / parts[i + 1] / parts[i + 2];
  }
  std::error_code error;
  return fs::is_directory(first, error) ? first : first.parent_path();
}

}  // namespace slipway::server
