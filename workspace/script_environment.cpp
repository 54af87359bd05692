// SPDX-License-Identifier: Apache-2.0
#include "workspace/script_environment.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <shared_mutex>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/http/http.h"
#include "base/json.h"
#include "imagebuilder/places.h"
#include "workspace/image_inputs.h"
#include "workspace/image_spec.h"
#include "workspace/preflight.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;
using imagebuilder::PythonLock;

constexpr std::chrono::hours kRememberedFor{24 * 365 * 10};
constexpr std::size_t kTreesKept = 8;
constexpr std::size_t kBesideMax = 10'000;
/// In the place of the script, so that an environment is one of its dependency file alone.
constexpr std::string_view kNoScript =
    "def init():\n    pass\n\n\ndef run(data):\n    return data\n";

Result<api::ModelFile> PutFile(Workspace& workspace, const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) return SystemError(file.string(), error ? error.value() : ENOENT);
  if (!fs::is_regular_file(status)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = file.string() + " is no regular file",
                 .id = "Usage"};
  }
  const BlobStore::Stored stored = TRY(workspace.blobs().PutFile(file));
  return api::ModelFile{
      .path = file.filename().string(), .digest = stored.digest.text(), .size = stored.size};
}

/// Names of the modules that lie beside a script, for the check of what it imports.
std::vector<api::ModelFile> Beside(const fs::path& script) {
  std::vector<api::ModelFile> files;
  std::error_code error;
  fs::directory_iterator found(script.parent_path(), error);
  for (; !error && found != fs::directory_iterator() && files.size() < kBesideMax;
       found.increment(error)) {
    files.push_back({.path = found->path().filename().string(), .digest = {}});
  }
  std::ranges::sort(files, {}, &api::ModelFile::path);
  return files;
}

/// What the dependency file resolved to when it was last asked for, else what it does now.
Result<PythonLock> FindLock(Workspace& workspace, const api::CreateImage& wanted,
                            const ImageInputs& inputs, const fs::path& scratch,
                            const imagebuilder::WorkHooks& hooks) {
  if (!wanted.fresh) {
    const std::string text = TRY(workspace.store().FindResolved(
        imagebuilder::PlanKey(inputs.plan, wanted.base), kRememberedFor));
    Result<PythonLock> lock = imagebuilder::ParseLock(text);
    if (!text.empty() && lock) return lock;
  }
  return LockOf(workspace, wanted, inputs, scratch, hooks);
}

Result<std::vector<api::ImageWarning>> CheckOwnScript(Workspace& workspace,
                                                      const ScriptEnvironmentRequest& wanted,
                                                      const imagebuilder::PythonSpec& python,
                                                      imagebuilder::BuildContext& context) {
  api::CreateImage asked{.name = "script", .models = {}, .preflight = "warn"};
  asked.script = TRY(PutFile(workspace, wanted.script));
  const Digest digest = TRY(Digest::Parse(asked.script.digest));
  const std::string text = TRY(workspace.blobs().ReadVerified(digest, limits::kJsonBytes));
  TRY(CheckSourceText(wanted.script.string(), text));
  asked.dependencies = Beside(wanted.script);
  std::vector<registry::ModelVersion> models;
  if (!wanted.model.empty()) {
    models.emplace_back();
    models.back().name = wanted.model;
    models.back().version = 1;
  }
  return CheckScript(workspace, asked, models, python, context);
}

/// Removes the trees that were not used for the longest time.
void DropOldTrees(const fs::path& trees, const fs::path& shared) {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator entry(trees, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    found.emplace_back(entry->last_write_time(error), entry->path());
  }
  if (found.size() <= kTreesKept) return;
  std::ranges::sort(found, std::greater<>());
  for (std::size_t i = kTreesKept; i < found.size(); ++i) {
    static_cast<void>(RemoveTree(found[i].second).has_value());
  }
  // The trees have links of their own to what is in here.
  static_cast<void>(RemoveTree(shared).has_value());
}

void Tell(const PythonLock& lock, ScriptEnvironment& made) {
  made.python_version = lock.python.version;
  for (const imagebuilder::LockedFile& wheel : lock.wheels) {
    made.packages.push_back(wheel.name + " " + wheel.version);
  }
  made.provided = lock.provided;
}

}  // namespace

Result<fs::path> LayOutTree(Workspace& workspace, const imagebuilder::Image& image) {
  const Digest digest = TRY(Digest::Parse(image.manifest.digest));
  const fs::path folder = workspace.run_folder() / "environments";
  const fs::path tree = folder / "trees" / digest.hex();
  const fs::path root =
      TRY(imagebuilder::Unpack(workspace.blobs(), image, tree, folder / "layers"));
  std::error_code ignored;
  fs::last_write_time(tree, fs::file_time_type::clock::now(), ignored);
  DropOldTrees(folder / "trees", folder / "layers");
  return root;
}

Result<ScriptEnvironment> MakeScriptEnvironment(Workspace& workspace,
                                                const ScriptEnvironmentRequest& wanted,
                                                const imagebuilder::WorkHooks& hooks) {
  const std::shared_lock keep(workspace.keep_mutex());
  api::CreateImage request{.name = "environment", .models = {}, .keep = wanted.keep};
  request.fresh = wanted.fresh;
  request.conda = TRY(PutFile(workspace, wanted.conda));
  const BlobStore::Stored stub = TRY(workspace.blobs().PutText(kNoScript));
  request.script = {.path = "main.py", .digest = stub.digest.text(), .size = stub.size};
  const ImageInputs inputs = TRY(ReadImageInputs(workspace, request));
  const fs::path scratch = TRY(MakeTempFolder(workspace.temp_folder(), "environment-"));
  const ScopedTree cleanup(scratch);
  PythonLock lock = TRY(FindLock(workspace, request, inputs, scratch, hooks));
  ScriptEnvironment made;
  Tell(lock, made);
  made.warnings = WarningsOf(inputs.plan, lock);
  imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, {}));
  TRY(SetPython(workspace, inputs, std::move(lock), spec));
  imagebuilder::BuildContext context{.blobs = workspace.blobs(),
                                     .cache = workspace.layer_cache(),
                                     .progress = hooks.say,
                                     .cancelled = hooks.cancelled,
                                     .tools = &workspace.python_tools(),
                                     .scratch = scratch};
  const auto found = TRY(CheckOwnScript(workspace, wanted, *spec.python, context));
  made.warnings.insert(made.warnings.end(), found.begin(), found.end());
  const imagebuilder::Image image = TRY(imagebuilder::Build(spec, context));
  made.root = TRY(LayOutTree(workspace, image));
  made.config = fs::path(imagebuilder::kServerConfig);
  return made;
}

std::string ProblemText(const Error& error) {
  const http::Response problem = http::Problem(error);
  Json body = Json::object();
  if (Result<Json> parsed = ParseJson(problem.body)) body = *std::move(parsed);
  return DumpJson({{"status", problem.status}, {"problem", std::move(body)}});
}

std::string ScriptEnvironmentText(const Result<ScriptEnvironment>& made) {
  if (!made) return ProblemText(made.error());
  Json warnings = Json::array();
  for (const api::ImageWarning& warning : made->warnings) {
    warnings.push_back({{"code", warning.code},
                        {"message", warning.message},
                        {"fix", warning.fix},
                        {"line", warning.line}});
  }
  return DumpJson({{"root", made->root.string()},
                   {"config", made->config.string()},
                   {"python", made->python_version},
                   {"packages", made->packages},
                   {"provided", made->provided},
                   {"warnings", std::move(warnings)}});
}

}  // namespace slipway::workspace
