// SPDX-License-Identifier: Apache-2.0
#include "workspace/models.h"

#include <shared_mutex>

#include "workspace/etag.h"
#include "workspace/garbage.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<void> DeleteUnused(Workspace& workspace, const registry::ModelVersion& found) {
  const std::vector<std::string> services =
      TRY(workspace.store().ServicesOfModel(found.workspace, found.id));
  if (!services.empty()) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = "model \"" + found.id + "\" is used by service \"" + services.front() + "\"",
        .id = "Model.InUse",
        .fix = "delete the service first: slipway service delete " + services.front()};
  }
  return workspace.registry().Delete(found.workspace, found.name, found.version);
}

}  // namespace

Result<registry::ModelVersion> RegisterModel(Workspace& workspace,
                                             const std::string& workspace_name,
                                             const api::RegisterModel& wanted) {
  TRY(workspace.store().GetWorkspace(workspace_name));
  registry::RegisterRequest request{.workspace = workspace_name,
                                    .name = wanted.name,
                                    .files = {},
                                    .main_file = wanted.main_file,
                                    .framework = wanted.framework,
                                    .framework_version = wanted.framework_version,
                                    .description = wanted.description,
                                    .tags = wanted.tags,
                                    .properties = wanted.properties,
                                    .condition = [&]() -> Result<void> {
                                      TRY(workspace.store().GetWorkspace(workspace_name));
                                      return {};
                                    }};
  const std::shared_lock keep(workspace.keep_mutex());
  for (const api::ModelFile& file : wanted.files) {
    const Digest digest = TRY(Digest::Parse(file.digest));
    const std::int64_t size = TRY(workspace.blobs().Size(digest));
    request.files.push_back({file.path, file.digest, size});
  }
  return workspace.registry().Register(request);
}

Result<registry::ModelVersion> FindModel(Workspace& workspace, const std::string& workspace_name,
                                         const VersionedName& name) {
  TRY(workspace.store().GetWorkspace(workspace_name));
  return workspace.registry().Get(workspace_name, name.name, name.version);
}

Result<registry::ModelVersion> UpdateModel(Workspace& workspace, const std::string& workspace_name,
                                           const VersionedName& name,
                                           const api::UpdateModel& wanted,
                                           std::string_view if_match) {
  const registry::ModelVersion found = TRY(FindModel(workspace, workspace_name, name));
  TRY(CheckIfMatch(if_match, found.etag, "model \"" + found.id + "\""));
  registry::ModelUpdate update{.add_tags = wanted.add_tags,
                               .remove_tags = wanted.remove_tags,
                               .add_properties = wanted.add_properties,
                               .if_match = if_match.empty() ? "" : found.etag};
  if (wanted.has_description) update.description = wanted.description;
  if (wanted.has_tags) update.tags = wanted.tags;
  return workspace.registry().Update(found.workspace, found.name, found.version, update);
}

Result<void> DeleteModel(Workspace& workspace, const std::string& workspace_name,
                         const VersionedName& name, std::string_view if_match) {
  // In one transaction, so that no service can come to need it in between.
  const auto remove = [&]() -> Result<void> {
    const registry::ModelVersion found = TRY(FindModel(workspace, workspace_name, name));
    TRY(CheckIfMatch(if_match, found.etag, "model \"" + found.id + "\""));
    return DeleteUnused(workspace, found);
  };
  TRY(workspace.store().Transaction(remove));
  CollectGarbageLater(workspace);
  return {};
}

}  // namespace slipway::workspace
