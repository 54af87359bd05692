// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/graph/plan.h"

namespace slipway::runtime {

/// Lays values in the arena inside of others, so that nothing need be copied: what Concat joins
/// where the whole has it, what Split parts where it is. Only where the pieces lie one after the
/// other, and where the working memory grows by nothing. Steps with nothing left to do go away;
/// kernels of others find some of their work done.
void PlaceParts(Plan& plan);

}  // namespace slipway::runtime
