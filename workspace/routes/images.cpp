// SPDX-License-Identifier: Apache-2.0
#include "workspace/images.h"

#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <string>

#include "base/limits.h"
#include "base/text.h"
#include "workspace/answers.h"
#include "workspace/image_base.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<api::Image> Find(const Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const VersionedName name = TRY(ReadVersion(call));
  return workspace.store().GetImage(call.Param("w"), name);
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  return PageResponse(
      TRY(workspace.store().ListImages(call.Param("w"), call.target.Query("name"), wanted)));
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::CreateImage>(call));
  TRY(CheckBase(call.principal, wanted.base));
  return AcceptedResponse(TRY(StartImageCreate(workspace, call.Param("w"), wanted)));
}

Result<http::Response> Plan(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::CreateImage>(call));
  return ObjectResponse(200, ToJson(TRY(PlanImage(workspace, call.Param("w"), wanted))));
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(TRY(Find(call, workspace))));
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::UpdateImage>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const VersionedName name = TRY(ReadVersion(call));
  const api::Image image = TRY(workspace.store().UpdateImage(call.Param("w"), name, wanted,
                                                             call.request.headers.Get("If-Match")));
  return ObjectResponse(200, ToJson(image));
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  const VersionedName name = TRY(ReadVersion(call));
  TRY(DeleteImage(workspace, call.Param("w"), name, call.request.headers.Get("If-Match")));
  return NoContent();
}

Result<http::Response> Logs(Call& call, Workspace& workspace) {
  const api::Image image = TRY(Find(call, workspace));
  const Result<api::Operation> operation = workspace.operations().Get(image.operation_id);
  if (!operation && operation.error().code != Code::kNotFound) return operation.error();
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  if (operation) {
    for (const std::string& line : operation->log) response.body += line + "\n";
  }
  if (!image.error.empty()) response.body += "failed: " + image.error + "\n";
  return response;
}

Result<http::Response> Lock(Call& call, Workspace& workspace) {
  const api::Image image = TRY(Find(call, workspace));
  if (image.lock.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = "image \"" + image.id + "\" has no lock: it holds no Python packages",
                 .id = "Image.NoLock"};
  }
  const Digest digest = TRY(Digest::Parse(image.lock));
  http::Response response;
  response.headers.Set("Content-Type", "application/json");
  response.body = TRY(workspace.blobs().ReadVerified(digest, limits::kJsonBytes));
  return response;
}

Result<http::Response> Archive(Call& call, Workspace& workspace) {
  const api::Image found = TRY(Find(call, workspace));
  const api::Image image =
      TRY(workspace.store().GetReadyImage(call.Param("w"), {found.name, found.version}));
  const std::string format = call.target.Query("format", "oci-archive");
  const imagebuilder::OutputType output = TRY(imagebuilder::FindOutput(format));
  if (format == "oci-dir") {
    return Error{.code = Code::kInvalidArgument,
                 .message = "format \"oci-dir\" is a folder and cannot be sent",
                 .id = "Request.Invalid",
                 .fix = "ask for oci-archive and unpack it"};
  }
  const std::shared_lock keep(workspace.keep_mutex());
  const imagebuilder::Image built = TRY(imagebuilder::Load(workspace.blobs(), image.digest));
  const std::filesystem::path file = workspace.temp_folder() / (RandomHex(8) + ".tar");
  TRY(output.write(workspace.blobs(), built, image.id, file));
  http::Response response =
      TRY(FileResponse(call, file, {.content_type = "application/x-tar", .remove_after = true}));
  response.headers.Set("Content-Disposition", "attachment; filename=\"" + image.name + "-" +
                                                  std::to_string(image.version) + ".tar\"");
  return response;
}

}  // namespace

RouteList routes_images() {
  static constexpr std::string_view kVersion = "/api/v1/workspaces/{w}/images/{name}/versions/{v}";
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/images", "List image versions", List, Role::kReader},
      {"POST", "/api/v1/workspaces/{w}/images", "Build the next version of an image", Create,
       Role::kContributor},
      {"POST", "/api/v1/workspaces/{w}/images/plan", "Say what building would give", Plan,
       Role::kReader, true},
      {"GET", kVersion, "Show an image version", Show, Role::kReader},
      {"PATCH", kVersion, "Change an image's description, tags and properties", Update,
       Role::kContributor},
      {"DELETE", kVersion, "Delete an image version that no service uses", Delete,
       Role::kContributor},
      {"GET", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/logs",
       "Read what building an image told", Logs, Role::kReader},
      {"GET", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/lock",
       "Read what an image's Python environment is made of", Lock, Role::kReader},
      {"GET", "/api/v1/workspaces/{w}/images/{name}/versions/{v}/archive",
       "Read an image as an archive", Archive, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
