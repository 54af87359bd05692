// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/unit.h"
#include "registry/db.h"

namespace slipway {

/// Runs a text of several statements.
using ScriptRunner = std::function<Result<void>(std::string_view script)>;

/// Database::Migrate on a database that has the table `schema_migrations`.
Result<void> ApplyMigrations(Database& database, std::string_view module,
                             std::span<const EmbeddedFile> migrations, const ScriptRunner& run);

}  // namespace slipway
