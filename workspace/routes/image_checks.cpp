// SPDX-License-Identifier: Apache-2.0
// POST …/images/{name}/versions/{v}/verify, GET …/images/{name}/versions/{v}/sbom
#include <shared_mutex>
#include <string>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/sbom.h"
#include "workspace/answers.h"
#include "workspace/image_sbom.h"
#include "workspace/image_verify.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<api::Image> FindReady(const Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const VersionedName name = TRY(ReadVersion(call));
  const api::Image found = TRY(workspace.store().GetImage(call.Param("w"), name));
  return workspace.store().GetReadyImage(call.Param("w"), {found.name, found.version});
}

Result<http::Response> Verify(Call& call, Workspace& workspace) {
  const api::Image image = TRY(FindReady(call, workspace));
  const std::string exact = call.target.Query("exact", "false");
  if (exact != "true" && exact != "false") {
    return Error{.code = Code::kInvalidArgument,
                 .message = "query parameter exact is \"" + exact + "\", not true or false",
                 .id = "Request.Invalid"};
  }
  const OwnPrograms programs = exact == "true" ? OwnPrograms::kSame : OwnPrograms::kAny;
  return AcceptedResponse(TRY(StartImageVerify(workspace, call.Param("w"), image, programs)));
}

Result<http::Response> Sbom(Call& call, Workspace& workspace) {
  const api::Image image = TRY(FindReady(call, workspace));
  const imagebuilder::SbomForm form =
      TRY(imagebuilder::FindSbomForm(call.target.Query("format", "spdx")));
  const std::shared_lock keep(workspace.keep_mutex());
  http::Response response;
  response.body = TRY(ImageSbom(workspace, image, form));
  response.headers.Set("Content-Type", form.media_type);
  return response;
}

}  // namespace

RouteList routes_image_checks() {
  static constexpr Route kRoutes[] = {
      {"POST", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/verify",
       "Build an image again from its inputs and compare the two", Verify, Role::kContributor},
      {"GET", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/sbom",
       "List what an image consists of, as SPDX or CycloneDX", Sbom, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
