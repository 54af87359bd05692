// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "registry/registry.h"
#include "workspace/image_verify.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// What a promotion looks at before and after it deploys. Each says in one line what it found.
namespace slipway::workspace {

class Workspace;

/// Golden samples: folders `test_data_set_*` beside the model's main file. kFailedPrecondition (id
/// `Promotion.NoSamples`) if there are none.
Result<std::string> FindSamples(const registry::ModelVersion& model);

/// That every blob of the image has the content of its digest and fits the others, and that it
/// carries that version of the model. kDataLoss, kFailedPrecondition (id `Promotion.OtherModel`).
Result<std::string> VerifyImage(Workspace& workspace, const api::Image& image,
                                const registry::ModelVersion& model);

/// That the image, built again from its recorded inputs, is the same, but for Slipway's own
/// programs where any will do. What it was compared to is added to the evidence, also on failure.
/// Hold keep_mutex() shared. Errors of VerifyByRebuilding and CheckVerified.
Result<std::string> RebuildImage(Workspace& workspace, const std::string& workspace_name,
                                 const api::Image& image, OwnPrograms programs, Progress& progress,
                                 api::Evidence& evidence);

/// Sends every golden sample to the service over the network and compares what it answers; without
/// samples, that it says it is ready. `request.json` of a sample goes to the scoring URI as it is
/// (workspace/script_sample.h); tensors, which a script of the image's own does not take, go by the
/// Open Inference Protocol. kFailedPrecondition with id `Promotion.WrongAnswer` naming sample,
/// output and element, `Promotion.NoRequest` where a script has no sample.
Result<std::string> CheckEndpoint(Workspace& workspace, const ServiceRow& row,
                                  const api::Image& image, const registry::ModelVersion& model,
                                  Progress& progress);

}  // namespace slipway::workspace
