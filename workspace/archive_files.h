// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "workspace/api.h"

namespace slipway::workspace {

class Workspace;

/// The files of a stored tar archive, plain or gzipped, each as a blob of its own, in order of
/// their paths. Untrusted bytes: kInvalidArgument (id `Archive.Invalid`) for what is no such
/// archive, holds links or anything else that is no file or folder, or a path twice;
/// kResourceExhausted above limits::kModelFiles. Hold keep_mutex() shared.
Result<std::vector<api::ModelFile>> UnpackToBlobs(Workspace& workspace, const Digest& archive);

}  // namespace slipway::workspace
