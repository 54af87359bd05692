// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> List(Context& context) {
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List(remote->InWorkspace("/tokens")));
  return context.PrintList(items, {{"NAME", "name"},
                                   {"ID", "id"},
                                   {"ROLE", "role"},
                                   {"WORKSPACE", "workspace"},
                                   {"STATE", "state"},
                                   {"CREATED BY", "created_by"},
                                   {"CREATED", "created_time"},
                                   {"EXPIRES", "expires_time"}});
}

}  // namespace

Command commands_token_list() {
  return {.path = "token list",
          .summary = "List the tokens, without what is sent",
          .example = "slipway token list",
          .bind = [](Options&) -> Body { return List; }};
}

}  // namespace slipway::cli
