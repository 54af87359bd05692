// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/environment.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  api::Environment environment;
  std::string config;
};

Result<void> Set(Context& context, const Arguments& arguments) {
  api::Environment wanted = arguments.environment;
  wanted.deployment = TRY(ReadDeployment(arguments.config, context.folder()));
  Json body = api::ToJson(wanted);
  for (const char* told : {"created_time", "updated_time", "etag"}) body.erase(told);
  if (wanted.gates.empty()) body.erase("gates");
  if (wanted.gates == std::vector<std::string>{"none"}) body["gates"] = Json::array();
  Remote* remote = TRY(context.remote());
  const Json made =
      TRY(remote->Put(remote->InWorkspace("/environments/" + EncodePercent(wanted.name)), body));
  return context.PrintObject(made, EnvironmentRows());
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  api::Environment& environment = arguments->environment;
  options.add_option("NAME", environment.name, "Its name").required();
  options.add_option("--target", environment.target,
                     "Where its services run; process if nothing says");
  options.add_option("--service", environment.service,
                     "Name of the service; MODEL-NAME of the environment if not given");
  options.add_option("--config", arguments->config, "Deployment file, YAML or JSON")
      .type_name("FILE");
  options.add_option("--alias", environment.alias,
                     "Alias that is moved in the end; the environment's name if not given");
  options
      .add_option(
          "--gate", environment.gates,
          "What must hold, may be given again: samples, verify, verify-exact, endpoint; none for "
          "nothing; endpoint if not given")
      .one_each_time();
  options
      .add_option("--approver", environment.approvers,
                  "Token whose holder may agree, may be given again; without one nobody must")
      .type_name("NAME")
      .one_each_time();
  options.add_flag("--own-approval", environment.own_approval,
                   "An approver may agree to what it asked for itself");
  options.add_option("--description", environment.description, "What it is, for people")
      .type_name("TEXT");
  return [arguments](Context& context) { return Set(context, *arguments); };
}

}  // namespace

Command commands_environment_set() {
  return {.path = "environment set",
          .summary = "Make or replace an environment that models are promoted to",
          .example =
              "slipway environment set production --gate samples --gate endpoint "
              "--approver maria",
          .bind = Bind};
}

}  // namespace slipway::cli
