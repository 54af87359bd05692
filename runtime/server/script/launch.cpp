// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/launch.h"

#include <algorithm>
#include <list>

#include "base/text.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;
constexpr std::string_view kProgram = "slipway_worker/__main__.py";
/// What the script's own process has no use for, or must not know.
constexpr std::string_view kWithheld[] = {"SLIPWAY_AUTH_KEYS", "SLIPWAY_AUTH_KEYS_FILE"};

void SetVariable(std::string_view name, std::string_view value, std::vector<std::string>& list) {
  const std::string front = std::string(name) + "=";
  std::erase_if(list, [&front](const std::string& item) { return item.starts_with(front); });
  if (!value.empty()) list.push_back(front + std::string(value));
}

std::string Variable(std::string_view name, const std::vector<std::string>& list) {
  const std::string front = std::string(name) + "=";
  for (const std::string& item : list) {
    if (item.starts_with(front)) return item.substr(front.size());
  }
  return {};
}

std::string JoinPaths(const std::vector<fs::path>& paths) {
  std::vector<std::string> texts;
  for (const fs::path& path : paths) texts.push_back(path.string());
  return Join(texts, ":");
}

Result<fs::path> WorkerProgram(const ScriptConfig& config) {
  std::error_code error;
  for (const fs::path& folder : config.python_path) {
    fs::path program = folder / kProgram;
    if (fs::exists(program, error)) return program;
  }
  return Error{.code = Code::kNotFound,
               .message = "no folder of python_path holds " + std::string(kProgram) + ": " +
                          JoinPaths(config.python_path),
               .id = "Script.WorkerMissing",
               .fix = "build the image again"};
}

struct Interpreter {
  std::vector<std::string> argv;
  fs::path home = {};  ///< PYTHONHOME; empty: Python finds it itself
};

Result<Interpreter> FindInterpreter(const ScriptConfig& config) {
  std::error_code error;
  if (config.root.empty()) {
    if (fs::exists(config.python, error)) return Interpreter{.argv = {config.python.string()}};
    return Error{.code = Code::kNotFound,
                 .message = "there is no Python at " + config.python.string(),
                 .id = "Python.NotFound",
                 .fix = "name one with --python"};
  }
  auto python = ResolveInRoot(config.root, config.python);
  if (!python) {
    return Error{.code = Code::kNotFound,
                 .message = "the image has no " + config.python.string(),
                 .id = "Python.NotFound",
                 .fix = "build the image with runtime python"};
  }
  const fs::path loader = TRY(ResolveInRoot(config.root, config.loader));
  Interpreter found{.argv = {loader.string()}, .home = python->parent_path().parent_path()};
  if (!config.library_path.empty()) {
    found.argv.insert(found.argv.end(), {"--library-path", JoinPaths(config.library_path)});
  }
  found.argv.push_back(python->string());
  return found;
}

std::vector<std::string> EnvironmentOf(const ScriptConfig& config, const fs::path& home,
                                       const WorkerSurroundings& around) {
  std::vector<std::string> list = around.environment;
  for (std::string_view name : kWithheld) SetVariable(name, {}, list);
  std::string search = JoinPaths(config.python_path);
  if (config.root.empty()) {
    const std::string inherited = Variable("PYTHONPATH", list);
    if (!inherited.empty()) search += ":" + inherited;
  } else {
    SetVariable("PYTHONHOME", home.string(), list);
  }
  SetVariable("PYTHONPATH", search, list);
  SetVariable("SLIPWAY_PYTHON_FALLBACK", JoinPaths(config.python_fallback), list);
  SetVariable("PYTHONDONTWRITEBYTECODE", "1", list);
  SetVariable("PYTHONFAULTHANDLER", "1", list);
  SetVariable("AML_APP_ROOT", config.app_root.string(), list);
  SetVariable("AZUREML_SOURCE_DIRECTORY", config.source_directory.string(), list);
  SetVariable("AZUREML_ENTRY_SCRIPT", config.entry.string(), list);
  std::error_code error;
  const fs::path& models = around.model_folder;
  SetVariable("AZUREML_MODEL_DIR",
              models.empty() ? std::string() : fs::absolute(models, error).string(), list);
  if (!around.service_name.empty()) SetVariable("SERVICE_NAME", around.service_name, list);
  return list;
}

/// The same paths for a process that runs in another folder. Without an app root: this folder.
ScriptConfig MakeAbsolute(ScriptConfig config) {
  std::error_code error;
  if (config.app_root.empty()) config.app_root = fs::current_path(error);
  if (config.source_directory.empty()) config.source_directory = config.app_root;
  for (fs::path* path : {&config.entry, &config.source_directory, &config.app_root, &config.root}) {
    if (!path->empty()) *path = fs::absolute(*path, error);
  }
  for (auto* list : {&config.python_path, &config.python_fallback, &config.library_path}) {
    for (fs::path& path : *list) path = fs::absolute(path, error);
  }
  return config;
}

}  // namespace

Result<fs::path> ResolveInRoot(const fs::path& root, const fs::path& path) {
  Error missing{.code = Code::kNotFound,
                .message = "there is no " + path.string() + " below " + root.string()};
  fs::path at = root;
  std::list<fs::path> rest;
  for (const fs::path& part : path.lexically_normal().relative_path()) rest.push_back(part);
  int links = 0;
  while (!rest.empty()) {
    const fs::path part = rest.front();
    rest.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (at != root) at = at.parent_path();
      continue;
    }
    std::error_code error;
    const fs::path next = at / part;
    if (!fs::is_symlink(next, error)) {
      at = next;
      continue;
    }
    const fs::path target = fs::read_symlink(next, error);
    if (error || ++links > kLinksMax) return missing;
    if (target.is_absolute()) at = root;
    const fs::path relative = target.relative_path();
    rest.insert(rest.begin(), relative.begin(), relative.end());
  }
  std::error_code error;
  if (fs::exists(at, error)) return at;
  return missing;
}

Result<WorkerLaunch> PlanWorker(const ScriptConfig& given, const WorkerSurroundings& around) {
  const ScriptConfig config = MakeAbsolute(given);
  WorkerLaunch launch;
  std::error_code error;
  if (!config.entry.empty() && !fs::is_regular_file(config.entry, error)) {
    return Error{.code = Code::kNotFound,
                 .message = "scoring script " + config.entry.string() + " does not exist",
                 .id = "Script.NotFound",
                 .fix = "AZUREML_ENTRY_SCRIPT names it, in AZUREML_SOURCE_DIRECTORY"};
  }
  if (!fs::is_directory(config.app_root, error)) {
    return Error{.code = Code::kNotFound,
                 .message = "app root " + config.app_root.string() + " is no folder",
                 .id = "Script.NotFound",
                 .fix = "AML_APP_ROOT names it"};
  }
  Interpreter interpreter = TRY(FindInterpreter(config));
  launch.argv = std::move(interpreter.argv);
  launch.argv.push_back(TRY(WorkerProgram(config)).string());
  launch.environment = EnvironmentOf(config, interpreter.home, around);
  launch.folder = config.app_root;
  return launch;
}

}  // namespace slipway::server
