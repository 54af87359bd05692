// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"
#include "workspace/api.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, regenerate;
};

Result<void> Keys(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path =
      remote->InWorkspace("/services/" + EncodePercent(arguments.name) + "/keys");
  const Json keys =
      arguments.regenerate.empty()
          ? TRY(remote->Get(path))
          : TRY(remote->Post(path, api::ToJson(api::SetServiceKey{.key = arguments.regenerate})));
  return context.PrintObject(keys, {{"primary", "primary"}, {"secondary", "secondary"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options
      .add_option("--regenerate", arguments->regenerate,
                  "Make a new one, which ends the old: primary or secondary")
      .one_of({"primary", "secondary"});
  return [arguments](Context& context) { return Keys(context, *arguments); };
}

}  // namespace

Command commands_service_keys() {
  return {.path = "service keys",
          .summary = "Show the keys that callers of a service send, or replace one",
          .example = "slipway service keys digits --regenerate secondary",
          .bind = Bind};
}

}  // namespace slipway::cli
