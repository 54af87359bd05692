// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  api::CreateWorkspace workspace;
  std::vector<std::string> tags;
};

Result<void> Create(Context& context, const Arguments& arguments) {
  api::CreateWorkspace wanted = arguments.workspace;
  wanted.tags = TRY(ParsePairs("--tag", arguments.tags));
  Remote* remote = TRY(context.remote());
  const Json made = TRY(remote->Post("/api/v1/workspaces", api::ToJson(wanted)));
  return context.PrintObject(made, WorkspaceRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  api::CreateWorkspace& wanted = arguments->workspace;
  options.add_option("NAME", wanted.name, "Its name").required();
  options.add_option("--location", wanted.location, "Where it is said to be").capture_default_str();
  options.add_option("--subscription-id", wanted.subscription_id, "For clients that ask for one");
  options.add_option("--resource-group", wanted.resource_group, "For clients that ask for one");
  options.add_option("--description", wanted.description, "What it is, for people");
  options.add_option("--tag", arguments->tags, "Tag, may be given again")
      .type_name("K[=V]")
      .one_each_time();
  options.add_flag("--exist-ok", wanted.exist_ok, "No error if it is there already");
  return [arguments](Context& context) { return Create(context, *arguments); };
}

}  // namespace

Command commands_workspace_create() {
  return {.path = "workspace create",
          .summary = "Create a workspace",
          .example = "slipway workspace create vision --description 'what the cameras use'",
          .bind = Bind};
}

}  // namespace slipway::cli
