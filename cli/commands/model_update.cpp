// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/label_update.h"

namespace slipway::cli {

Command commands_model_update() {
  return {.path = "model update",
          .summary = "Change tags and description of a model version, add properties",
          .example = "slipway model update digits:1 --tag stage=prod --remove-tag draft",
          .bind = [](Options& options) { return BindLabelUpdate(options, "model", ModelRows); }};
}

}  // namespace slipway::cli
