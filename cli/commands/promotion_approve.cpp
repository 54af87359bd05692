// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/promotion.h"

namespace slipway::cli {

Command commands_promotion_approve() {
  return {.path = "promotion approve",
          .summary = "Agree to a promotion, which then runs",
          .example = "slipway promotion approve 4f1d0c2b9a8e7d65 --note 'checked on staging'",
          .bind = [](Options& options) { return BindDecision(options, "approve"); }};
}

}  // namespace slipway::cli
