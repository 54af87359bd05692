// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/file.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/download.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string name, destination, format = "oci-archive";
};

/// What is saved comes to a folder beside its place, and is there whole once it is renamed.
Result<void> Fetch(Remote& remote, const VersionedName& name, const std::string& format,
                   const fs::path& temp, const fs::path& destination) {
  const bool unpack = format == "oci-dir";
  const std::string path =
      VersionPath("images", name) + "/archive?format=" + (unpack ? "oci-archive" : format);
  fs::path saved = temp / "archive";
  TRY(DownloadFile(remote, remote.InWorkspace(path), saved, std::nullopt));
  if (unpack) {
    TRY(UnpackTar(saved, temp / "layout"));
    saved = temp / "layout";
  }
  std::error_code error;
  fs::rename(saved, destination, error);
  if (error) return SystemError(destination.string(), error.value());
  return SyncFolder(destination.parent_path());
}

Result<void> Save(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  const fs::path destination =
      fs::absolute(context.folder() / arguments.destination).lexically_normal();
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(destination, ignored))) {
    return Error{.code = Code::kAlreadyExists,
                 .message = destination.string() + " is there already",
                 .id = "File.Exists"};
  }
  Remote* remote = TRY(context.remote());
  const fs::path temp = TRY(MakeTempFolder(destination.parent_path(), ".slipway-save-"));
  const auto saved = Fetch(*remote, name, arguments.format, temp, destination);
  TRY(RemoveTree(temp));
  if (!saved) return saved.error();
  return context.Print(destination.string() + "\n");
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "image", arguments->name);
  options.add_option("DESTINATION", arguments->destination, "File or folder to make").required();
  options.add_option("-f,--format", arguments->format, "oci-dir, oci-archive or docker-archive")
      .one_of({"oci-dir", "oci-archive", "docker-archive"})
      .capture_default_str();
  return [arguments](Context& context) { return Save(context, *arguments); };
}

}  // namespace

Command commands_image_save() {
  return {.path = "image save",
          .summary = "Save an image as an archive that other tools read; prints its path",
          .example = "slipway image save digits:1 digits.tar -f docker-archive",
          .bind = Bind};
}

}  // namespace slipway::cli
