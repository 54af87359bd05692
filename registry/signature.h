// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/blob_store.h"
#include "base/result.h"
#include "registry/model_files.h"
#include "registry/registry.h"

namespace slipway::registry {

/// Inputs and outputs of `content`'s main file. External data is looked for among the model's
/// files; `scratch` is where a folder may stand for that moment. Errors are the runtime's, and
/// name the file by its path in the model.
Result<Signature> ReadSignature(const Content& content, const BlobStore& blobs,
                                const std::filesystem::path& scratch);

/// A signature as it is stored, and back. kDataLoss if the text is none.
Result<std::string> SignatureText(const Signature& signature);
Result<Signature> ParseSignature(std::string_view text);

}  // namespace slipway::registry
