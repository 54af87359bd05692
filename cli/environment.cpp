// SPDX-License-Identifier: Apache-2.0
#include "cli/environment.h"

namespace slipway::cli {

Columns EnvironmentRows() {
  return {{"name", "name"},           {"description", "description"},
          {"target", "target"},       {"service", "service"},
          {"alias", "alias"},         {"gates", "gates"},
          {"approvers", "approvers"}, {"own approval", "own_approval"},
          {"created", "created_time"}};
}

}  // namespace slipway::cli
