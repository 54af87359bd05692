// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Revoke(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  TRY(remote->Delete(remote->InWorkspace("/tokens/" + EncodePercent(name))));
  context.Progress("revoked " + name);
  return {};
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("TOKEN", *name, "Its name or id").required();
  return [name](Context& context) { return Revoke(context, *name); };
}

}  // namespace

Command commands_token_revoke() {
  return {.path = "token revoke",
          .summary = "End a token at once",
          .example = "slipway token revoke ci",
          .bind = Bind};
}

}  // namespace slipway::cli
