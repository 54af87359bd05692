// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/promotion.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  api::CreatePromotion promotion;
  WaitOptions wait;
};

Result<void> Promote(Context& context, const Arguments& arguments) {
  TRY(ParseExactVersion(arguments.promotion.model));
  Remote* remote = TRY(context.remote());
  const Json made =
      TRY(remote->Post(remote->InWorkspace("/promotions"), api::ToJson(arguments.promotion)));
  return FollowPromotion(context, *remote, made, arguments.wait);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("MODEL", arguments->promotion.model, "The version to promote")
      .type_name("NAME:VERSION")
      .required();
  options.add_option("--to", arguments->promotion.environment, "The environment")
      .type_name("ENV")
      .required();
  options.add_option("--note", arguments->promotion.note, "Why, for the record").type_name("TEXT");
  AddWaitOptions(options, arguments->wait);
  return [arguments](Context& context) { return Promote(context, *arguments); };
}

}  // namespace

Command commands_promote() {
  return {
      .path = "promote",
      .summary = "Bring a model version to an environment: gates, deploy, check, move the alias",
      .example = "slipway promote digits:2 --to production",
      .bind = Bind};
}

}  // namespace slipway::cli
