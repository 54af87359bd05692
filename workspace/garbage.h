// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"

namespace slipway::workspace {

class Workspace;

/// Removes blobs that no model version and no image needs, and unpacked images that no service
/// runs. Does nothing while somebody builds, registers or deploys. Says how many bytes of blobs
/// it freed.
Result<std::int64_t> CollectGarbage(Workspace& workspace);

/// The same, with a line in the log where it freed something or failed.
void CollectGarbageAndTell(Workspace& workspace);

/// The same, soon, on a thread of the operations.
void CollectGarbageLater(Workspace& workspace);

}  // namespace slipway::workspace
