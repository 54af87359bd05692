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
  std::string name;
  api::PushImage push;
  RegistryLoginArguments login;
  WaitOptions wait;
};

Result<void> Push(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  api::PushImage wanted = arguments.push;
  TRY(ReadRegistryLogin(arguments.login, wanted.username, wanted.password));
  wanted.ca = TRY(ReadRegistryCa(arguments.login, context.folder()));
  Remote* remote = TRY(context.remote());
  const Json operation = TRY(remote->Post(
      remote->InWorkspace(VersionPath("images", name) + "/push"), api::ToJson(wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ImageRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "image", arguments->name);
  options.add_option("REFERENCE", arguments->push.reference, "HOST[:PORT]/NAME:TAG to push to")
      .required();
  AddRegistryLoginOptions(options, arguments->login);
  options.add_flag("--plain-http", arguments->push.plain_http,
                   "Without TLS; for a registry of this machine always");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Push(context, *arguments); };
}

}  // namespace

Command commands_image_push() {
  return {.path = "image push",
          .summary = "Push an image to a registry, for engines and clusters to pull",
          .example = "slipway image push digits:1 registry.example.com/team/digits:1",
          .bind = Bind};
}

}  // namespace slipway::cli
