// SPDX-License-Identifier: Apache-2.0
#include <CLI/App.hpp>
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
  std::string id, note;
  WaitOptions wait;
};

Result<void> Approve(Context& context, const Arguments& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path =
      remote->InWorkspace("/promotions/" + EncodePercent(arguments.id) + "/approve");
  const Json decided =
      TRY(remote->Post(path, api::ToJson(api::DecidePromotion{.note = arguments.note})));
  return FollowPromotion(context, *remote, decided, arguments.wait);
}

Body Bind(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("ID", arguments->id, "The promotion")->required();
  app.add_option("--note", arguments->note, "Why, for the record")->type_name("TEXT");
  AddWaitOptions(app, arguments->wait);
  return [arguments](Context& context) { return Approve(context, *arguments); };
}

}  // namespace

Command commands_promotion_approve() {
  return {.path = "promotion approve",
          .summary = "Agree to a promotion, which then runs",
          .example = "slipway promotion approve 4f1d0c2b9a8e7d65 --note 'checked on staging'",
          .bind = Bind};
}

}  // namespace slipway::cli
