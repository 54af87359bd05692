// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/command_line.h"
#include "cli/command.h"
#include "cli/output.h"

namespace slipway::cli {

/// Options and body of `model update` and `image update`: tags, properties and description of a
/// version. `kind` is the first of these words; what is there then is shown with `rows`.
Body BindLabelUpdate(Options& options, const std::string& kind, Columns (*rows)());

}  // namespace slipway::cli
