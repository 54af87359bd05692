// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "cli/source_folder.h"
#include "cli/upload.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

Result<api::ModelFile> UploadFile(Context& context, Remote& remote, const fs::path& file,
                                  const std::string& path) {
  const std::vector<ModelSource> found = TRY(FindModelFiles(file, {}));
  const ModelSource& source = found.front();
  const Digest digest = TRY(Digest::OfFile(source.file));
  context.Progress(fmt::format("  {} ({})", path, BytesText(source.size)));
  const auto uploaded = remote.UploadBlob(digest, source.file, source.size);
  if (!uploaded) return Within("uploading " + source.file.string(), uploaded.error());
  return api::ModelFile{.path = path, .digest = digest.text(), .size = source.size};
}

/// One file, which must be one.
Result<api::ModelFile> UploadOne(Context& context, Remote& remote, const std::string& given) {
  const fs::path file = context.folder() / given;
  std::error_code error;
  if (fs::is_directory(file, error)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = file.string() + " is a folder, and a file is wanted",
                 .id = "Usage"};
  }
  return UploadFile(context, remote, file, file.filename().string());
}

/// A file under its name, a folder with its name before its files' paths.
Result<void> UploadDependency(Context& context, Remote& remote, const std::string& given,
                              std::vector<api::ModelFile>& files) {
  const fs::path path = (context.folder() / given).lexically_normal();
  const fs::path top = path.has_filename() ? path : path.parent_path();
  std::error_code error;
  if (!fs::is_directory(top, error)) {
    files.push_back(TRY(UploadFile(context, remote, top, top.filename().string())));
    return {};
  }
  const std::vector<ModelSource> found = TRY(FindModelFiles(top, {}));
  for (const ModelSource& source : found) {
    if (source.path.find("__pycache__/") != std::string::npos) continue;
    const std::string name = top.filename().string() + "/" + source.path;
    files.push_back(TRY(UploadFile(context, remote, source.file, name)));
  }
  return {};
}

Error WrongUse(std::string message, std::string fix) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = "Usage",
               .fix = std::move(fix)};
}

/// The whole folder of sources, the script among it under its path there.
Result<void> UploadSources(Context& context, Remote& remote, const ScriptArguments& arguments,
                           api::CreateImage& image) {
  if (arguments.script.empty()) {
    return WrongUse("--source-directory without a --script in it",
                    "name the script by its path in that folder: --script score.py");
  }
  const fs::path root = context.folder() / arguments.source_directory;
  const std::vector<ModelSource> files = TRY(FindSourceFiles(root));
  const std::string script = fs::path(arguments.script).lexically_normal().generic_string();
  const auto found = std::ranges::find(files, script, &ModelSource::path);
  if (found == files.end()) {
    std::error_code error;
    const bool is_there = !script.starts_with("..") && fs::is_regular_file(root / script, error);
    const std::string folder = root.lexically_normal().string();
    return Error{.code = is_there ? Code::kInvalidArgument : Code::kNotFound,
                 .message = is_there ? script + " is left out by an ignore file of " + folder
                                     : folder + " has no file " + script,
                 .id = "Image.Script",
                 .fix = "--script is a path in --source-directory"};
  }
  for (const ModelSource& source : files) {
    api::ModelFile file = TRY(UploadFile(context, remote, source.file, source.path));
    if (source.path == script) {
      image.script = std::move(file);
    } else {
      image.dependencies.push_back(std::move(file));
    }
  }
  return {};
}

}  // namespace

Result<void> UploadScript(Context& context, Remote& remote, const ScriptArguments& arguments,
                          api::CreateImage& image) {
  image.base = arguments.base;
  image.runtime = arguments.runtime;
  image.python_version = arguments.python_version;
  image.preflight = arguments.preflight;
  image.keep = arguments.keep;
  image.gpu = arguments.gpu;
  image.fresh = arguments.fresh;
  const bool folder = !arguments.source_directory.empty();
  if (folder) TRY(UploadSources(context, remote, arguments, image));
  const std::string none;
  const std::pair<const std::string*, api::ModelFile*> single[] = {
      {folder ? &none : &arguments.script, &image.script},
      {&arguments.conda, &image.conda},
      {&arguments.docker_file, &image.docker_file},
      {&arguments.lock, &image.lock}};
  for (const auto& [given, file] : single) {
    if (!given->empty()) *file = TRY(UploadOne(context, remote, *given));
  }
  for (const std::string& given : arguments.dependencies) {
    TRY(UploadDependency(context, remote, given, image.dependencies));
  }
  std::set<std::string> paths = {image.script.path};
  for (const api::ModelFile& file : image.dependencies) {
    if (paths.insert(file.path).second) continue;
    return Error{.code = Code::kInvalidArgument,
                 .message = "two files would be " + file.path + " beside the script",
                 .id = "Usage"};
  }
  return {};
}

}  // namespace slipway::cli
