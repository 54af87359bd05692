// SPDX-License-Identifier: Apache-2.0
#include "workspace/etag.h"
#include "workspace/garbage.h"
#include "workspace/images.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<void> CheckFree(Workspace& workspace, const std::string& workspace_name,
                       const api::Image& image) {
  if (image.state == "Creating") {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "image \"" + image.id + "\" is being built",
                 .id = "Image.Busy",
                 .fix = "cancel operation " + image.operation_id + ", or wait for it"};
  }
  if (workspace.image_holds().IsHeld(workspace_name, image.id)) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "image \"" + image.id + "\" is being deployed",
                 .id = "Image.InUse",
                 .fix = "wait for the operation to end"};
  }
  return {};
}

}  // namespace

Result<void> DeleteImage(Workspace& workspace, const std::string& workspace_name,
                         const VersionedName& name, std::string_view if_match) {
  // In one transaction, so that no service can come to need it in between.
  const auto remove = [&]() -> Result<void> {
    TRY(workspace.store().GetWorkspace(workspace_name));
    const api::Image image = TRY(workspace.store().GetImage(workspace_name, name));
    TRY(CheckIfMatch(if_match, image.etag, "image \"" + image.id + "\""));
    TRY(CheckFree(workspace, workspace_name, image));
    return workspace.store().DeleteImage(workspace_name, {image.name, image.version});
  };
  TRY(workspace.store().Transaction(remove));
  CollectGarbageLater(workspace);
  return {};
}

}  // namespace slipway::workspace
