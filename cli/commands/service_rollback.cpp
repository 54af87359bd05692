// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name;
  api::RollBack wanted;
  WaitOptions wait;
};

Result<void> RollBack(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path =
      remote->InWorkspace("/services/" + EncodePercent(arguments.name) + "/revisions");
  const Json operation = TRY(remote->Post(path, api::ToJson(arguments.wanted)));
  return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options
      .add_option("--to", arguments->wanted.to,
                  "Revision to be as again; the one before if not given")
      .within(std::int64_t{1}, std::int64_t{1} << 53)
      .type_name("REVISION");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return RollBack(context, *arguments); };
}

}  // namespace

Command commands_service_rollback() {
  return {.path = "service rollback",
          .summary = "Make the next revision of a service as an earlier one was",
          .example = "slipway service rollback digits --to 3",
          .bind = Bind};
}

}  // namespace slipway::cli
