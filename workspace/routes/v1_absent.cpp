// SPDX-License-Identifier: Apache-2.0
#include "workspace/v1_control.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Error Absent(std::string what, std::string fix) {
  return Error{.code = Code::kUnimplemented,
               .message = std::move(what),
               .id = "V1.NotThere",
               .fix = std::move(fix)};
}

Result<http::Response> Assets(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  return Absent("assets are not kept apart: a file is a blob",
                "PUT the file to /api/v1/workspaces/" + call.Param("w") +
                    "/blobs/sha256:…, and name that where a url is asked for");
}

Result<http::Response> BuildContext(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  return Absent("there is no Docker build context: images are built without Docker",
                "POST to …/images; GET /api/v1/…/images/{name}/versions/{v} tells "
                "generated_dockerfile");
}

Result<http::Response> RegisterService(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  return Absent("services that run elsewhere cannot be registered",
                "POST to …/services, which deploys an image");
}

Result<http::Response> ServiceToken(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  TRY(workspace.store().GetService(call.Param("w"), call.Param("id")));
  return Absent("services take keys, no tokens", "POST to …/services/{id}/listkeys");
}

Result<http::Response> Profiles(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  return Absent("models are not profiled by the service", "slipway model bench FILE");
}

}  // namespace

RouteList routes_v1_absent() {
  static constexpr Route kRoutes[] = {
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/assets",
       "Says that assets are blobs", InV1Form<Assets>, Role::kContributor, true},
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/assets",
       "Says that assets are blobs", InV1Form<Assets>, Role::kReader},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images/"
       "generateDockerBuildContext",
       "Says that images are built without Docker", InV1Form<BuildContext>, Role::kContributor,
       true},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/register",
       "Says that services are deployed", InV1Form<RegisterService>, Role::kDeployer, true},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}/token",
       "Says that services take keys", InV1Form<ServiceToken>, Role::kDeployer, true},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/profiles",
       "Says what measures a model", InV1Form<Profiles>, Role::kContributor, true},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
