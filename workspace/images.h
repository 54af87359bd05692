// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "registry/registry.h"
#include "workspace/api.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// What the workspace service does with images: from model versions to blobs and a row.
namespace slipway::workspace {

class Workspace;

/// The versions that `name`, `name:version` mean. kNotFound (id `Model.NotFound`),
/// kInvalidArgument (id `Image.Spec`) for none at all or one that holds no ONNX model, which a
/// script may do without.
Result<std::vector<registry::ModelVersion>> ResolveModels(Workspace& workspace,
                                                          std::string_view workspace_name,
                                                          const std::vector<std::string>& models,
                                                          bool with_script = false);

/// Inserts the next version of the image in state Creating, for the operation to build. In the
/// transaction of the operation's beginning: workspace and models are looked for once more.
Result<api::Image> InsertImage(Workspace& workspace, std::string_view workspace_name,
                               const api::CreateImage& wanted,
                               const std::vector<registry::ModelVersion>& models,
                               const std::string& operation_id);

/// Builds what `image` is to be and says it with its blobs. Hold keep_mutex() shared from before
/// this until the row is written.
Result<imagebuilder::Image> BuildImage(Workspace& workspace,
                                       const std::vector<registry::ModelVersion>& models,
                                       Progress& progress);

/// Writes the row of an image that was built. `sources`: digests of the blobs it was made of.
Result<void> FinishImage(Workspace& workspace, std::string_view workspace_name, api::Image& image,
                         const imagebuilder::Image& built,
                         const std::vector<std::string>& sources = {});

/// Starts the operation `image.create`.
Result<api::Operation> StartImageCreate(Workspace& workspace, const std::string& workspace_name,
                                        const api::CreateImage& wanted);

/// kFailedPrecondition (ids `Image.InUse`, `Image.Busy`) while something needs it. `if_match`: see
/// CheckIfMatch. Version 0: the newest.
Result<void> DeleteImage(Workspace& workspace, const std::string& workspace_name,
                         const VersionedName& name, std::string_view if_match);

/// What building would give; builds nothing.
Result<api::ImagePlan> PlanImage(Workspace& workspace, std::string_view workspace_name,
                                 const api::CreateImage& wanted);

}  // namespace slipway::workspace
