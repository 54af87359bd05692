// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/promotion.h"

namespace slipway::cli {

Command commands_promotion_reject() {
  return {.path = "promotion reject",
          .summary = "Refuse a promotion",
          .example = "slipway promotion reject 4f1d0c2b9a8e7d65 --note 'too slow on staging'",
          .bind = [](Options& options) { return BindDecision(options, "reject"); }};
}

}  // namespace slipway::cli
