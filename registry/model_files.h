// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/digest.h"
#include "base/result.h"
#include "registry/registry.h"

namespace slipway::registry {

/// The content of a version: checked, sorted by path, every blob there.
struct Content {
  std::vector<ModelFile> files;
  std::string main_file;  ///< empty if there is none
  std::int64_t size = 0;
  Digest digest;
};

/// Checks what `request` says of files against the rules and the store. Blobs it names count as
/// just put, so that collecting garbage spares them. kInvalidArgument (id `Model.File`).
Result<Content> ResolveContent(const RegisterRequest& request, const BlobStore& blobs);

/// Whether a framework's name stands for ONNX; an empty one does.
bool IsOnnxFramework(std::string_view framework);

}  // namespace slipway::registry
