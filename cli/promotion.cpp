// SPDX-License-Identifier: Apache-2.0
#include "cli/promotion.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace slipway::cli {

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
