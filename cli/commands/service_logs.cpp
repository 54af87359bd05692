// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name;
  std::int64_t lines = 1000;
};

Result<void> Logs(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path = "/services/" + EncodePercent(arguments.name) + "/logs" +
                           Query({{"lines", std::to_string(arguments.lines)}});
  return context.Print(TRY(remote->GetText(remote->InWorkspace(path))));
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options.add_option("--lines", arguments->lines, "How many of the last lines")
      .capture_default_str();
  return [arguments](Context& context) { return Logs(context, *arguments); };
}

}  // namespace

Command commands_service_logs() {
  return {.path = "service logs",
          .summary = "Print the last lines that a service wrote",
          .example = "slipway service logs digits --lines 50",
          .bind = Bind};
}

}  // namespace slipway::cli
