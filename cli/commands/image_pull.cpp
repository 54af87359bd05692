// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/registry_login.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  api::PullImage pull;
  Labels labels;
  RegistryLoginArguments login;
  WaitOptions wait;
};

Result<void> Pull(Context& context, const Arguments& arguments) {
  api::PullImage wanted = arguments.pull;
  wanted.description = arguments.labels.description;
  wanted.tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  wanted.properties = TRY(ParsePairs("--property", arguments.labels.properties));
  TRY(ReadRegistryLogin(arguments.login, wanted.username, wanted.password));
  wanted.ca = TRY(ReadRegistryCa(arguments.login, context.folder()));
  Remote* remote = TRY(context.remote());
  const Json operation =
      TRY(remote->Post(remote->InWorkspace("/images/pull"), api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ImageRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("REFERENCE", arguments->pull.reference, "HOST[:PORT]/NAME[:TAG][@DIGEST]")
      .required();
  options.add_option("--name", arguments->pull.name, "Name whose next version it becomes")
      .required();
  AddLabelOptions(options, arguments->labels);
  AddRegistryLoginOptions(options, arguments->login);
  options.add_flag("--plain-http", arguments->pull.plain_http,
                   "Without TLS; for a registry of this machine always");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Pull(context, *arguments); };
}

}  // namespace

Command commands_image_pull() {
  return {.path = "image pull",
          .summary = "Pull an image from a registry into the workspace",
          .example = "slipway image pull registry.example.com/team/digits:1 --name digits",
          .bind = Bind};
}

}  // namespace slipway::cli
