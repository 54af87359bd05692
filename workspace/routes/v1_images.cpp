// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "base/limits.h"
#include "workspace/archive_files.h"
#include "workspace/image_base.h"
#include "workspace/images.h"
#include "workspace/v1_control.h"
#include "workspace/v1_requests.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Whether the image carries the model that the query asks for, by `modelId` or `modelName`.
bool HasModel(const Call& call, const api::Image& image) {
  const std::string id = call.target.Query("modelId");
  const std::string name = call.target.Query("modelName");
  return (id.empty() && name.empty()) ||
         std::any_of(image.models.begin(), image.models.end(), [&](const std::string& model) {
           return (id.empty() || model == id) && (name.empty() || model.starts_with(name + ":"));
         });
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  PageRequest wanted{.limit = limits::kPageItems};
  std::vector<V1Item> items;
  do {
    const Page<api::Image> page =
        TRY(workspace.store().ListImages(call.Param("w"), call.target.Query("name"), wanted));
    for (const api::Image& image : page.items) {
      if (HasModel(call, image)) items.push_back(V1Image(image, call));
    }
    wanted.next = page.next;
  } while (!wanted.next.empty());
  return V1List(call, std::move(items), "CreatedAtDesc");
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  const api::Image found = TRY(workspace.store().GetImage(call.Param("w"), name));
  return http::JsonResponse(200, V1Image(found, call).json);
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  V1ImageRequest wanted = TRY(ReadV1Image(call.request.body, call.Param("w")));
  TRY(CheckBase(call.principal, wanted.image.base));
  for (const std::string& text : wanted.archives) {
    const Digest archive = TRY(Digest::Parse(text));
    const std::vector<api::ModelFile> files = TRY(UnpackToBlobs(workspace, archive));
    wanted.image.dependencies.insert(wanted.image.dependencies.end(), files.begin(), files.end());
  }
  return V1Accepted(TRY(StartImageCreate(workspace, call.Param("w"), wanted.image)), call);
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  const api::Image now = TRY(workspace.store().GetImage(call.Param("w"), name));
  const api::UpdateImage wanted =
      TRY(ReadV1Patch(call.request.body, {.description = now.description,
                                          .tags = now.tags,
                                          .kv_tags = now.kv_tags,
                                          .properties = now.properties}));
  const api::Image image =
      TRY(workspace.store().UpdateImage(call.Param("w"), name, wanted, now.etag));
  return http::JsonResponse(200, V1Image(image, call).json);
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  return V1Deleted(DeleteImage(workspace, call.Param("w"), name, ""));
}

}  // namespace

RouteList routes_v1_images() {
  static constexpr Route kRoutes[] = {
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images",
       "List image versions in the form of v1", InV1Form<List>, Role::kReader},
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images/{id}",
       "Show an image version in the form of v1", InV1Form<Show>, Role::kReader},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images",
       "Build an image in the form of v1", InV1Form<Create>, Role::kContributor},
      {"PATCH",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images/{id}",
       "Change what is told of an image version in the form of v1", InV1Form<Update>,
       Role::kContributor},
      {"DELETE",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/images/{id}",
       "Delete an image version in the form of v1", InV1Form<Delete>, Role::kContributor},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
