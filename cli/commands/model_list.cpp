// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, order;
  std::vector<std::string> tags, properties;
  bool latest = false;
};

Result<void> List(Context& context, const Arguments& arguments) {
  std::vector<std::pair<std::string, std::string>> query = {
      {"name", arguments.name},
      {"latest", arguments.latest ? "true" : ""},
      {"order", arguments.order}};
  for (const std::string& tag : arguments.tags) query.emplace_back("tag", tag);
  for (const std::string& property : arguments.properties) query.emplace_back("property", property);
  Remote* remote = TRY(context.remote());
  const Json items = TRY(remote->List(remote->InWorkspace("/models" + Query(query))));
  return context.PrintList(items, {{"ID", "id"},
                                   {"FRAMEWORK", "framework"},
                                   {"SIZE", "size", Column::Kind::kBytes},
                                   {"TAGS", "kv_tags", Column::Kind::kTags},
                                   {"CREATED", "created_time"},
                                   {"DESCRIPTION", "description"}});
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("--name", arguments->name, "Only versions of this model");
  options.add_option("--tag", arguments->tags, "Only with this tag; may be given again")
      .type_name("K[=V]")
      .one_each_time();
  options.add_option("--property", arguments->properties, "Only with this property; as --tag")
      .type_name("K[=V]")
      .one_each_time();
  options.add_flag("--latest", arguments->latest, "Only the newest version of each model");
  options.add_option("--order", arguments->order, "asc: oldest first; desc: newest first")
      .one_of({"asc", "desc"});
  return [arguments](Context& context) { return List(context, *arguments); };
}

}  // namespace

Command commands_model_list() {
  return {.path = "model list",
          .summary = "List model versions",
          .example = "slipway model list --latest --tag stage=prod",
          .bind = Bind};
}

}  // namespace slipway::cli
