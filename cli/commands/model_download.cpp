// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/download.h"
#include "cli/remote.h"
#include "workspace/api.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string name, folder = ".";
  bool exist_ok = false;
};

Result<void> CheckFree(const fs::path& target, bool exist_ok) {
  std::error_code ignored;
  if (exist_ok || !fs::exists(fs::symlink_status(target, ignored))) return {};
  return Error{.code = Code::kAlreadyExists,
               .message = target.string() + " is there already",
               .id = "File.Exists",
               .fix = "another folder with -d DIR, or --exist-ok"};
}

/// All files come to a folder beside their places first, so that a failure leaves nothing.
Result<void> Fetch(Remote& remote, const api::Model& model, const fs::path& folder,
                   const fs::path& temp) {
  const std::string content = remote.InWorkspace(
      VersionPath("models", {model.name, std::to_string(model.version)}) + "/content?path=");
  for (const api::ModelFile& file : model.files) {
    TRY(CheckPathInside(file.path));
    const Digest digest = TRY(Digest::Parse(file.digest));
    TRY(MakeFolders((temp / file.path).parent_path()));
    TRY(DownloadFile(remote, content + EncodePercent(file.path), temp / file.path, digest));
  }
  for (const api::ModelFile& file : model.files) {
    TRY(MakeFolders((folder / file.path).parent_path()));
    std::error_code error;
    fs::rename(temp / file.path, folder / file.path, error);
    if (error) return SystemError((folder / file.path).string(), error.value());
  }
  return {};
}

Result<void> Download(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  Remote* remote = TRY(context.remote());
  api::Model model;
  const Json json = TRY(remote->Get(remote->InWorkspace(VersionPath("models", name))));
  TRY(api::FromJson(json, model));
  const fs::path folder = (context.folder() / arguments.folder).lexically_normal();
  for (const api::ModelFile& file : model.files) {
    TRY(CheckFree(folder / file.path, arguments.exist_ok));
  }
  TRY(MakeFolders(folder));
  const fs::path temp = TRY(MakeTempFolder(folder, ".slipway-download-"));
  const auto fetched = Fetch(*remote, model, folder, temp);
  TRY(RemoveTree(temp));
  if (!fetched) return Within("downloading " + model.id, fetched.error());
  std::string lines;
  for (const api::ModelFile& file : model.files) lines += (folder / file.path).string() + "\n";
  return context.Print(lines);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "model", arguments->name);
  options.add_option("-d,--folder", arguments->folder, "Folder to write to")
      .type_name("DIR")
      .capture_default_str();
  options.add_flag("--exist-ok", arguments->exist_ok, "Replace files that are there");
  return [arguments](Context& context) { return Download(context, *arguments); };
}

}  // namespace

Command commands_model_download() {
  return {.path = "model download",
          .summary = "Download the files of a model; prints their paths",
          .example = "slipway model download digits:1 -d models",
          .bind = Bind};
}

}  // namespace slipway::cli
