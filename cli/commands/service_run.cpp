// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, data;
};

Result<std::string> ReadData(const Context& context, const std::string& data) {
  if (!data.starts_with('@')) return data;
  return ReadFile(context.folder() / data.substr(1), limits::kHttpBodyBytes);
}

/// The answer as it came, unless another form is asked for.
Result<void> Run(Context& context, const Arguments& arguments) {
  std::string data = TRY(ReadData(context, arguments.data));
  Remote* remote = TRY(context.remote());
  const std::string path =
      remote->InWorkspace("/services/" + EncodePercent(arguments.name) + "/score");
  std::string answer = TRY(remote->PostText(path, std::move(data), "application/json"));
  if (!context.globals.output.empty() && TRY(context.format()) != Format::kTable) {
    const auto json = ParseJson(answer);
    if (json) return context.PrintObject(*json, {});
  }
  if (!answer.ends_with('\n')) answer += '\n';
  return context.Print(answer);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("NAME", arguments->name, "The service").required();
  options.add_option("--data", arguments->data, "Request body, or @ and the file that holds it")
      .type_name("JSON|@FILE")
      .required();
  return [arguments](Context& context) { return Run(context, *arguments); };
}

}  // namespace

Command commands_service_run() {
  return {.path = "service run",
          .summary = "Ask a service and print what it answers",
          .example = "slipway service run digits --data @templates/digits/samples/digits_7.json",
          .bind = Bind};
}

}  // namespace slipway::cli
