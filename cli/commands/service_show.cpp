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

Result<void> Show(Context& context, const std::string& name) {
  Remote* remote = TRY(context.remote());
  const Json service = TRY(remote->Get(remote->InWorkspace("/services/" + EncodePercent(name))));
  return context.PrintObject(service, ServiceRows());
}

Body Bind(Options& options) {
  auto name = std::make_shared<std::string>();
  options.add_option("NAME", *name, "The service").required();
  return [name](Context& context) { return Show(context, *name); };
}

}  // namespace

Command commands_service_show() {
  return {.path = "service show",
          .summary = "Show a service as it is now",
          .example = "slipway service show digits",
          .bind = Bind};
}

}  // namespace slipway::cli
