// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"

namespace slipway::cli {
namespace {

Result<void> Version(Context& context) {
  return context.PrintObject(Json{{"version", SLIPWAY_VERSION}}, {{"slipway", "version"}});
}

Body Bind(Options&) { return Version; }

}  // namespace

Command commands_version() {
  return {.path = "version",
          .summary = "Print the version",
          .example = "slipway version",
          .bind = Bind};
}

}  // namespace slipway::cli
