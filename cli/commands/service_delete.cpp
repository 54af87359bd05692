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
  WaitOptions wait;
};

Result<void> Delete(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path = remote->InWorkspace("/services/" + EncodePercent(arguments.name));
  Json operation = TRY(remote->Delete(path));
  if (arguments.wait.no_wait) {
    return AwaitAndPrint(context, *remote, operation, arguments.wait, ServiceRows());
  }
  TRY(AwaitEnd(context, *remote, operation, arguments.wait));
  context.Progress("service '" + arguments.name + "' deleted");
  return {};
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Delete(context, *arguments); };
}

}  // namespace

Command commands_service_delete() {
  return {.path = "service delete",
          .summary = "Stop a service and delete it",
          .example = "slipway service delete digits",
          .bind = Bind};
}

}  // namespace slipway::cli
