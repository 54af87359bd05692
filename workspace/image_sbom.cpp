// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_sbom.h"

#include "base/digest.h"
#include "base/limits.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::string_view kServer = "/opt/slipway/bin/slipway-serve";

/// RFC 3339 to the second, which is all that SPDX takes.
std::string WholeSeconds(const std::string& time) {
  const std::size_t dot = time.find('.');
  return dot == std::string::npos ? time : time.substr(0, dot) + "Z";
}

}  // namespace

Result<std::string> ImageSbom(Workspace& workspace, const api::Image& image,
                              const imagebuilder::SbomForm& form) {
  const imagebuilder::Image built = TRY(imagebuilder::Load(workspace.blobs(), image.digest));
  imagebuilder::Inventory inventory = TRY(imagebuilder::TakeInventory(workspace.blobs(), built));
  if (!image.lock.empty()) {
    const Digest lock = TRY(Digest::Parse(image.lock));
    const std::string text = TRY(workspace.blobs().ReadVerified(lock, limits::kJsonBytes));
    const imagebuilder::PythonLock known = TRY(imagebuilder::ParseLock(text));
    imagebuilder::AddLock(known, inventory);
  }
  const std::string server = TRY(workspace.server_digest().Now());
  for (imagebuilder::Component& component : inventory.components) {
    if (component.path == kServer && component.digest == server) {
      component.version = SLIPWAY_VERSION;
    }
  }
  return form.write({.name = image.name,
                     .version = std::to_string(image.version),
                     .digest = image.digest,
                     .created = WholeSeconds(image.created_time),
                     .tool = SLIPWAY_VERSION,
                     .inventory = inventory});
}

}  // namespace slipway::workspace
