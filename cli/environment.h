// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/output.h"

namespace slipway::cli {

/// Rows that an environment is shown with.
Columns EnvironmentRows();

}  // namespace slipway::cli
