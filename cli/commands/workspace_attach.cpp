// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, folder, token_file;
};

/// Writes the endpoint only where it was named: that of a local service changes.
Result<void> Attach(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const Json workspace = TRY(remote->Get("/api/v1/workspaces/" + EncodePercent(arguments.name)));
  OrderedJson config;
  config["subscription_id"] = TRY(GetStringOr(workspace, "subscription_id", ""));
  config["resource_group"] = TRY(GetStringOr(workspace, "resource_group", ""));
  config["workspace_name"] = TRY(GetString(workspace, "name"));
  const auto variable = context.environment().find("SLIPWAY_ENDPOINT");
  if (!context.globals.endpoint.empty() || variable != context.environment().end()) {
    config["endpoint"] = remote->connection().base_url;
  }
  const auto folder =
      arguments.folder.empty() ? context.folder() : context.folder() / arguments.folder;
  const auto file = folder / ".azureml" / "config.json";
  if (!arguments.token_file.empty()) {
    const auto token = context.folder() / arguments.token_file;
    TRY(ReadToken(token));
    config["token_file"] = token.lexically_normal().string();
  }
  TRY(MakeFolders(file.parent_path()));
  TRY(WriteFileAtomic(file, DumpOrderedJson(config, 4) + "\n"));
  context.Progress("wrote " + file.lexically_normal().string());
  return {};
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "Its name").required();
  options
      .add_option("--path", arguments->folder, "Folder to write to; the current one if not given")
      .type_name("DIR");
  options.add_option("--token-file", arguments->token_file, "File that holds the token for it")
      .type_name("FILE");
  return [arguments](Context& context) { return Attach(context, *arguments); };
}

}  // namespace

Command commands_workspace_attach() {
  return {.path = "workspace attach",
          .summary = "Make a workspace the one that is used in a folder: .azureml/config.json",
          .example = "slipway workspace attach vision --path ~/project",
          .bind = Bind};
}

}  // namespace slipway::cli
