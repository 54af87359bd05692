// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace slipway::workspace {

class Workspace;

/// Packs and unpacks the layers that every image has, soon, on a thread of the operations, so that
/// the first deploy finds them made; one that comes at the same time waits for them. Then collects
/// garbage.
void PackAheadLater(Workspace& workspace);

}  // namespace slipway::workspace
