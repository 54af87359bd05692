// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/promotion.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

Result<void> Show(Context& context, const std::string& id) {
  Remote* remote = TRY(context.remote());
  const Json promotion = TRY(remote->Get(remote->InWorkspace("/promotions/" + EncodePercent(id))));
  TRY(context.PrintObject(promotion, PromotionRows()));
  if (TRY(context.format()) != Format::kTable) return {};
  return context.PrintList(
      promotion.value("evidence", Json::array()),
      {{"STEP", "step"}, {"STATE", "state"}, {"WHAT WAS FOUND", "detail"}, {"TIME", "time"}});
}

Body Bind(Options& options) {
  auto id = std::make_shared<std::string>();
  options.add_option("ID", *id, "The promotion").required();
  return [id](Context& context) { return Show(context, *id); };
}

}  // namespace

Command commands_promotion_show() {
  return {.path = "promotion show",
          .summary = "Show a promotion with the evidence for it",
          .example = "slipway promotion show 4f1d0c2b9a8e7d65",
          .bind = Bind};
}

}  // namespace slipway::cli
