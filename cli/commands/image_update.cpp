// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/label_update.h"

namespace slipway::cli {

Command commands_image_update() {
  return {.path = "image update",
          .summary = "Change tags and description of an image version, add properties",
          .example = "slipway image update digits:1 --tag stage=prod --remove-tag draft",
          .bind = [](Options& options) { return BindLabelUpdate(options, "image", ImageRows); }};
}

}  // namespace slipway::cli
