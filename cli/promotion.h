// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/command_line.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/remote.h"

namespace slipway::cli {

/// Rows that a promotion is shown with.
Columns PromotionRows();

/// Options and body of `promotion approve|reject`; `decision` is that word.
Body BindDecision(Options& options, std::string decision);

/// Waits until a promotion that runs has ended, unless told otherwise, and prints it. An Error with
/// exit status 1 if it failed.
Result<void> FollowPromotion(Context& context, Remote& remote, const Json& promotion,
                             const WaitOptions& wait);

}  // namespace slipway::cli
