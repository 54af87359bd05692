// SPDX-License-Identifier: Apache-2.0
#include "cli/promotion.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "cli/arguments.h"

namespace slipway::cli {
namespace {

struct Decision {
  std::string id, note;
  WaitOptions wait;
};

Result<void> Decide(Context& context, const std::string& decision, const Decision& arguments) {
  Remote* remote = TRY(context.remote());
  const std::string path =
      remote->InWorkspace("/promotions/" + EncodePercent(arguments.id) + "/" + decision);
  const Json decided =
      TRY(remote->Post(path, api::ToJson(api::DecidePromotion{.note = arguments.note})));
  return FollowPromotion(context, *remote, decided, arguments.wait);
}

}  // namespace

Body BindDecision(Options& options, std::string decision) {
  auto arguments = std::make_shared<Decision>();
  options.add_option("ID", arguments->id, "The promotion").required();
  options.add_option("--note", arguments->note, "Why, for the record").type_name("TEXT");
  AddWaitOptions(options, arguments->wait);
  return [arguments, decision = std::move(decision)](Context& context) {
    return Decide(context, decision, *arguments);
  };
}

Columns PromotionRows() {
  return {{"id", "id"},
          {"state", "state"},
          {"model", "model"},
          {"model digest", "model_digest"},
          {"environment", "environment"},
          {"service", "service"},
          {"image", "image"},
          {"image digest", "image_digest"},
          {"previous image", "previous_image"},
          {"requested by", "requested_by"},
          {"decided by", "decided_by"},
          {"note", "note"},
          {"error", "error"},
          {"created", "created_time"},
          {"ended", "ended_time"}};
}

Result<void> FollowPromotion(Context& context, Remote& remote, const Json& promotion,
                             const WaitOptions& wait) {
  const std::string state = TRY(GetString(promotion, "state"));
  const std::string id = TRY(GetString(promotion, "id"));
  if (state == "WaitingForApproval") {
    context.Progress("  waiting for approval: slipway promotion approve " + id);
  }
  if (state != "Running" || wait.no_wait) return context.PrintObject(promotion, PromotionRows());
  const std::string operation = TRY(GetString(promotion, "operation_id"));
  const Json started = TRY(remote.Get("/api/v1/operations/" + EncodePercent(operation)));
  const Json ended = TRY(Await(context, remote, started, wait));
  return context.PrintObject(ended, PromotionRows());
}

}  // namespace slipway::cli
