// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, alias;
  std::int64_t version = 0, expected = 0;
};

/// Without `--expected`, the version it points at now is read first, so that a change by
/// somebody else in between is refused and not overwritten.
Result<void> Alias(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace("/models/" + EncodePercent(arguments.name) +
                                               "/aliases/" + EncodePercent(arguments.alias));
  auto now = remote->Get(path);
  if (arguments.version == 0) {
    if (!now) return now.error();
    return context.PrintObject(*now, {{"alias", "name"}, {"version", "version"}});
  }
  std::int64_t expected = arguments.expected;
  if (expected == 0 && now) expected = TRY(GetInt(*now, "version"));
  if (!now && now.error().code != Code::kNotFound) return now.error();
  const Json wanted{{"version", arguments.version}, {"expected", expected}};
  const Json moved = TRY(remote->Put(path, wanted));
  return context.PrintObject(moved, {{"alias", "name"}, {"version", "version"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The model").required();
  options.add_option("ALIAS", arguments->alias, "The alias").required();
  options.add_option("VERSION", arguments->version,
                     "Version to point it at; shows it if not given");
  options
      .add_option("--expected", arguments->expected, "Refuse unless it points at this version now")
      .type_name("VERSION");
  return [arguments](Context& context) { return Alias(context, *arguments); };
}

}  // namespace

Command commands_model_alias() {
  return {.path = "model alias",
          .summary = "Show or move an alias of a model",
          .example = "slipway model alias digits production 2 --expected 1",
          .bind = Bind};
}

}  // namespace slipway::cli
