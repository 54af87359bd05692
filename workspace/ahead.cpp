// SPDX-License-Identifier: Apache-2.0
#include "workspace/ahead.h"

#include <mutex>
#include <shared_mutex>

#include "base/log.h"
#include "workspace/garbage.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<void> PackAhead(Workspace& workspace) {
  const std::shared_lock keep(workspace.keep_mutex());
  const imagebuilder::BuildSpec spec{.models = {},
                                     .server_program = workspace.config().server_program};
  imagebuilder::BuildContext context{.blobs = workspace.blobs(),
                                     .cache = workspace.layer_cache(),
                                     .cancelled = [&workspace] { return workspace.stopping(); }};
  workspace.KeepLayers(TRY(imagebuilder::PackAhead(
      spec, context,
      {.shared = workspace.run_folder() / "layers", .scratch = workspace.temp_folder()})));
  return {};
}

}  // namespace

void PackAheadLater(Workspace& workspace) {
  workspace.operations().Later([&workspace] {
    const Result<void> packed = PackAhead(workspace);
    if (!packed && !workspace.stopping()) {
      log::Warn("layers were not packed ahead", {{"error", packed.error().message}});
    }
    CollectGarbageAndTell(workspace);
  });
}

}  // namespace slipway::workspace
