// SPDX-License-Identifier: Apache-2.0
#include "registry/model_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "registry/names.h"

namespace slipway::registry {
namespace {

Error BadFile(std::string message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = "Model.File",
          .fix = std::move(fix)};
}

Result<void> CheckPaths(const std::vector<ModelFile>& sorted) {
  std::set<std::string_view> folders;
  for (const ModelFile& file : sorted) {
    TRY(CheckPath(file.path));
    const std::string_view path = file.path;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      folders.insert(path.substr(0, slash));
    }
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].path == sorted[i - 1].path) {
      return BadFile(fmt::format("model file {} is listed twice", Shown(sorted[i].path)));
    }
    if (folders.contains(sorted[i].path)) {
      return BadFile(
          fmt::format("model file {} is also the folder of another", Shown(sorted[i].path)));
    }
  }
  return {};
}

Result<void> ResolveBlob(ModelFile& file, const BlobStore& blobs) {
  auto digest = Digest::Parse(file.digest);
  if (!digest) {
    return BadFile(
        fmt::format("model file {} has digest {}, which is not sha256: and 64 hex digits",
                    Shown(file.path), Shown(file.digest)));
  }
  const auto path = blobs.Path(*digest);
  if (!path) {
    return BadFile(fmt::format("content {} of model file {} is not stored here", file.digest,
                               Shown(file.path)),
                   "upload the blob first");
  }
  std::error_code spared_only;
  std::filesystem::last_write_time(*path, std::filesystem::file_time_type::clock::now(),
                                   spared_only);
  const std::int64_t size = TRY(blobs.Size(*digest));
  if (file.size != 0 && file.size != size) {
    return BadFile(fmt::format("model file {} is said to have {} bytes, but has {}",
                               Shown(file.path), file.size, size));
  }
  file.size = size;
  return {};
}

Result<std::string> ChooseMainFile(const RegisterRequest& request,
                                   const std::vector<ModelFile>& files) {
  if (!request.main_file.empty()) {
    if (std::ranges::find(files, request.main_file, &ModelFile::path) != files.end()) {
      return request.main_file;
    }
    return BadFile(
        fmt::format("main file {} is not among the model's files", Shown(request.main_file)));
  }
  std::vector<std::string> found;
  for (const ModelFile& file : files) {
    if (ToLower(file.path).ends_with(".onnx")) found.push_back(file.path);
  }
  if (found.size() == 1) return found.front();
  const bool wants_onnx = !request.framework.empty() && IsOnnxFramework(request.framework);
  if (!wants_onnx) return std::string();
  if (found.empty() && files.size() == 1) return files.front().path;
  if (found.empty()) {
    return BadFile("framework is ONNX, but no file is named .onnx", "name the main file");
  }
  return BadFile(fmt::format("{} files are named .onnx, {} and {} among them", found.size(),
                             Shown(found[0]), Shown(found[1])),
                 "name the main file");
}

Digest DigestOf(const std::vector<ModelFile>& sorted) {
  Sha256 hash;
  for (const ModelFile& file : sorted) {
    const std::string line = file.path + '\0' + file.digest + '\n';
    hash.Update(std::as_bytes(std::span(line)));
  }
  return hash.Finish();
}

}  // namespace

bool IsOnnxFramework(std::string_view framework) {
  return framework.empty() || ToLower(framework) == "onnx";
}

Result<Content> ResolveContent(const RegisterRequest& request, const BlobStore& blobs) {
  if (request.files.empty()) return BadFile("a model needs at least one file");
  if (std::cmp_greater(request.files.size(), limits::kModelFiles)) {
    return BadFile(fmt::format("a model of {} files; at most {} are kept", request.files.size(),
                               limits::kModelFiles));
  }
  std::vector<ModelFile> files = request.files;
  std::ranges::sort(files, {}, &ModelFile::path);
  TRY(CheckPaths(files));
  std::int64_t size = 0;
  for (ModelFile& file : files) {
    TRY(ResolveBlob(file, blobs));
    size = TRY(CheckedAdd(size, file.size, "the model"));
  }
  std::string main_file = TRY(ChooseMainFile(request, files));
  Digest digest = DigestOf(files);
  return Content{.files = std::move(files),
                 .main_file = std::move(main_file),
                 .size = size,
                 .digest = std::move(digest)};
}

}  // namespace slipway::registry
