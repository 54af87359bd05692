// SPDX-License-Identifier: Apache-2.0
#include "cli/upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file.h"
#include "base/limits.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

Error NoFile(const fs::path& path, const char* why) {
  return Error{
      .code = Code::kInvalidArgument, .message = path.string() + " " + why, .id = "Model.File"};
}

Result<void> AddFile(const fs::path& file, const std::string& path,
                     std::vector<ModelSource>& files) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status)) return SystemError(file.string(), error ? error.value() : ENOENT);
  if (!fs::is_regular_file(status)) return NoFile(file, "is no regular file");
  const auto size = fs::file_size(file, error);
  if (error) return SystemError(file.string(), error.value());
  files.push_back({.path = path, .file = file, .size = static_cast<std::int64_t>(size)});
  if (std::cmp_greater(files.size(), limits::kModelFiles)) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("{} has more than {} files", file.parent_path().string(),
                                        limits::kModelFiles),
                 .id = "Model.TooManyFiles",
                 .fix = "choose with --child PATH"};
  }
  return {};
}

Result<void> AddTree(const fs::path& top, const fs::path& root, std::vector<ModelSource>& files) {
  std::error_code error;
  if (!fs::is_directory(top, error)) {
    return AddFile(top, top.lexically_relative(root).generic_string(), files);
  }
  fs::recursive_directory_iterator walk(top, error), end;
  while (!error && walk != end) {
    const fs::path file = walk->path();
    if (!fs::is_directory(walk->status(error))) {
      TRY(AddFile(file, file.lexically_relative(root).generic_string(), files));
    }
    walk.increment(error);
  }
  if (error) return SystemError(top.string(), error.value());
  return {};
}

}  // namespace

Result<std::vector<ModelSource>> FindModelFiles(const fs::path& path,
                                                const std::vector<std::string>& children) {
  std::vector<ModelSource> files;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (!children.empty()) return NoFile(path, "is no folder, so that it has no --child");
    TRY(AddFile(path, path.filename().string(), files));
    return files;
  }
  const fs::path root = path.lexically_normal();
  if (children.empty()) {
    TRY(AddTree(root, root, files));
  }
  for (const std::string& child : children) {
    const fs::path below = (root / child).lexically_normal();
    const std::string relative = below.lexically_relative(root).generic_string();
    if (fs::path(child).is_absolute() || relative.starts_with("..")) {
      return NoFile(child, "is not below the model's folder");
    }
    TRY(AddTree(below, root, files));
  }
  if (files.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = path.string() + " has no files in it",
                 .id = "Model.Empty"};
  }
  const auto by_path = [](const ModelSource& a, const ModelSource& b) { return a.path < b.path; };
  const auto same = [](const ModelSource& a, const ModelSource& b) { return a.path == b.path; };
  std::sort(files.begin(), files.end(), by_path);
  files.erase(std::unique(files.begin(), files.end(), same), files.end());
  return files;
}

Result<Json> RegisterFiles(Context& context, Remote& remote, const fs::path& path,
                           const std::vector<std::string>& children, api::RegisterModel model) {
  const std::vector<ModelSource> files = TRY(FindModelFiles(path, children));
  for (const ModelSource& source : files) {
    const Digest digest = TRY(Digest::OfFile(source.file));
    context.Progress(fmt::format("  {} ({})", source.path, BytesText(source.size)));
    const auto uploaded = remote.UploadBlob(digest, source.file, source.size);
    if (!uploaded) return Within("uploading " + source.file.string(), uploaded.error());
    model.files.push_back({.path = source.path, .digest = digest.text(), .size = source.size});
  }
  return remote.Post(remote.InWorkspace("/models"), api::ToJson(model));
}

}  // namespace slipway::cli
