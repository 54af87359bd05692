// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"
#include "workspace/api.h"

namespace slipway::cli {
namespace {

struct Arguments {
  api::CreateToken token;
  std::string expires;
};

/// `90d`, `12h`, `30m`, `never` as seconds; 0 for never.
Result<std::int64_t> ReadExpiry(const std::string& text) {
  if (text == "never") return std::int64_t{0};
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, count);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  const std::int64_t seconds = unit == "d" ? 86'400 : unit == "h" ? 3'600 : unit == "m" ? 60 : 0;
  constexpr std::int64_t kCountMax = 1'000'000;
  if (failure == std::errc() && seconds > 0 && count > 0 && count <= kCountMax) {
    return count * seconds;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "--expires '" + text + "' is no time",
               .id = "Usage",
               .fix = "as in 90d, 12h, 30m, or never"};
}

Result<void> Create(Context& context, const Arguments& arguments) {
  api::CreateToken wanted = arguments.token;
  wanted.expires_in_seconds = TRY(ReadExpiry(arguments.expires));
  Remote* remote = TRY(context.remote());
  const Json made = TRY(remote->Post(remote->InWorkspace("/tokens"), api::ToJson(wanted)));
  context.Progress("  keep the token: it is not shown again");
  return context.PrintObject(made, {{"name", "name"},
                                    {"id", "id"},
                                    {"role", "role"},
                                    {"workspace", "workspace"},
                                    {"expires", "expires_time"},
                                    {"token", "token"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->token.name, "Who or what uses it").required();
  options.add_option("--role", arguments->token.role, "reader, contributor, deployer or owner")
      .required();
  options.add_flag("--all-workspaces", arguments->token.all_workspaces,
                   "For all workspaces, not this one alone");
  arguments->expires = "90d";
  options.add_option("--expires", arguments->expires, "When it ends: 90d, 12h, 30m, never")
      .capture_default_str();
  return [arguments](Context& context) { return Create(context, *arguments); };
}

}  // namespace

Command commands_token_create() {
  return {.path = "token create",
          .summary = "Make a token for a program or a person, with a role",
          .example = "slipway token create ci --role deployer --expires 30d",
          .bind = Bind};
}

}  // namespace slipway::cli
