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

constexpr std::string_view kSamplePrefix = "test_data_set_";

fs::path MainFolder(const std::string& main_file, const std::vector<ModelSource>& files) {
  if (!main_file.empty()) return fs::path(main_file).parent_path();
  fs::path found;
  for (const ModelSource& source : files) {
    if (fs::path(source.path).extension() == ".onnx") found = fs::path(source.path).parent_path();
  }
  return found;
}

bool IsTaken(const fs::path& folder, const std::vector<ModelSource>& files) {
  const std::string front = folder.generic_string() + "/";
  return std::ranges::any_of(
      files, [&front](const ModelSource& source) { return source.path.starts_with(front); });
}

std::string SampleName(const fs::path& folder, const fs::path& beside,
                       const std::vector<ModelSource>& files) {
  fs::path clean = folder.lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();
  std::string name = clean.filename().string();
  const bool keeps = name.starts_with(kSamplePrefix);
  for (int number = 0; !keeps || IsTaken(beside / name, files); ++number) {
    name = fmt::format("{}{}", kSamplePrefix, number);
    if (!IsTaken(beside / name, files)) break;
  }
  return name;
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

Result<void> AddSamples(const std::vector<fs::path>& folders, const std::string& main_file,
                        std::vector<ModelSource>& files) {
  const fs::path beside = MainFolder(main_file, files);
  for (const fs::path& folder : folders) {
    std::error_code error;
    const bool holds =
        fs::exists(folder / "request.json", error) || fs::exists(folder / "input_0.pb", error);
    if (!holds) {
      return Error{.code = Code::kInvalidArgument,
                   .message = folder.string() + " holds neither request.json nor input_0.pb",
                   .id = "Model.Sample",
                   .fix = "name the folder of one golden sample"};
    }
    const std::string place = (beside / SampleName(folder, beside, files)).generic_string();
    std::vector<ModelSource> sample;
    TRY(AddTree(folder.lexically_normal(), folder.lexically_normal(), sample));
    for (ModelSource& source : sample) {
      source.path = place + "/" + source.path;
      files.push_back(std::move(source));
    }
  }
  return {};
}

Result<Json> RegisterFiles(Context& context, Remote& remote, const std::vector<ModelSource>& files,
                           api::RegisterModel model) {
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
