// SPDX-License-Identifier: Apache-2.0
#include "cli/label_update.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string collection;  ///< `models`
  Columns (*rows)() = nullptr;
  std::string name;
  Labels labels;
  std::vector<std::string> remove_tags;
  Option description;
};

Result<void> Update(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  api::UpdateModel update{.has_description = arguments.description.given(),
                          .description = arguments.labels.description,
                          .remove_tags = arguments.remove_tags};
  update.add_tags = TRY(ParsePairs("--tag", arguments.labels.tags));
  update.add_properties = TRY(ParsePairs("--property", arguments.labels.properties));
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace(VersionPath(arguments.collection, name));
  const Json updated = TRY(remote->Patch(path, api::ToJson(update)));
  return context.PrintObject(updated, arguments.rows());
}

}  // namespace

Body BindLabelUpdate(Options& options, const std::string& kind, Columns (*rows)()) {
  auto arguments = std::make_shared<Arguments>();
  arguments->collection = kind + "s";
  arguments->rows = rows;
  AddVersionedName(options, kind, arguments->name);
  AddLabelOptions(options, arguments->labels);
  arguments->description = options.get_option("--description");
  options.add_option("--remove-tag", arguments->remove_tags, "Tag to take off; may be given again")
      .type_name("K")
      .one_each_time();
  return [arguments](Context& context) { return Update(context, *arguments); };
}

}  // namespace slipway::cli
