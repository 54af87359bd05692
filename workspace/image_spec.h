// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "registry/registry.h"
#include "workspace/image_inputs.h"

/// From model versions and an image's inputs to what the builder takes.
namespace slipway::workspace {

class Workspace;

/// Removes a folder when it goes.
class ScopedTree {
 public:
  explicit ScopedTree(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~ScopedTree() { static_cast<void>(RemoveTree(folder_).has_value()); }
  ScopedTree(const ScopedTree&) = delete;
  ScopedTree& operator=(const ScopedTree&) = delete;

 private:
  std::filesystem::path folder_;
};

/// kNotFound (id `Blob.NotFound`) for a file of a model that is not stored.
Result<imagebuilder::BuildSpec> MakeSpec(Workspace& workspace,
                                         const std::vector<registry::ModelVersion>& models);

/// The spec's Python, on the base that the lock names.
Result<void> SetPython(Workspace& workspace, const ImageInputs& inputs,
                       imagebuilder::PythonLock lock, imagebuilder::BuildSpec& spec);

}  // namespace slipway::workspace
