// SPDX-License-Identifier: Apache-2.0
// POST …/images/{name}/versions/{v}/push, POST …/images/pull
#include "workspace/image_transfer.h"

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> Push(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::PushImage>(call));
  const std::string& name = call.Param("w");
  TRY(workspace.store().GetWorkspace(name));
  const VersionedName version = TRY(ReadVersion(call));
  const api::Image image = TRY(workspace.store().GetReadyImage(name, version));
  return AcceptedResponse(TRY(StartImagePush(workspace, name, image, wanted)));
}

Result<http::Response> Pull(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::PullImage>(call));
  return AcceptedResponse(TRY(StartImagePull(workspace, call.Param("w"), wanted)));
}

}  // namespace

RouteList routes_image_transfer() {
  static constexpr Route kRoutes[] = {
      {"POST", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/push",
       "Push an image to a registry", Push, Role::kContributor},
      {"POST", "/api/v1/workspaces/{w}/images/pull",
       "Pull an image from a registry as the next version of a name", Pull, Role::kContributor},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
