// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"
#include "registry/db.h"
#include "registry/model_store.h"

namespace slipway::registry {

/// What to select from `models m` for ReadModelRow: a version whole, in one row.
extern const std::string_view kModelColumns;

/// kDataLoss (id `State.Damaged`) if the row holds what was never written.
Result<StoredModel> ReadModelRow(const Row& row);

}  // namespace slipway::registry
