// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/environment_plan.h"
#include "imagebuilder/python/tools.h"
#include "workspace/api.h"

/// What an image with a scoring script is made of, read from the request and the blobs it names.
namespace slipway::workspace {

class Workspace;

/// Whether the request asks for an image with Python. kInvalidArgument (id `Image.Spec`) for
/// fields that exclude each other.
Result<bool> WantsPython(const api::CreateImage& wanted);

/// The request, read and checked; nothing is resolved yet.
struct ImageInputs {
  std::string entry;  ///< the script's path in the application folder
  std::vector<imagebuilder::AppFile> files;
  imagebuilder::EnvironmentPlan plan;
  std::string lock;                  ///< text of a given one
  std::vector<std::string> sources;  ///< digests of what was given
};

/// kNotFound (id `Blob.NotFound`) for content that was not uploaded, kInvalidArgument (ids
/// `Image.Script`, `Image.ScriptEncoding`, `Image.DependencyFile`, `Image.DockerFile`).
Result<ImageInputs> ReadImageInputs(Workspace& workspace, const api::CreateImage& wanted);

/// What is wrong with the text of a Python file before it is even parsed: its encoding. Untrusted
/// bytes. kInvalidArgument (id `Image.ScriptEncoding`) naming the line. Source: PEP 263.
Result<void> CheckSourceText(std::string_view name, std::string_view text);

/// The lock that decides the Python environment: given, remembered from today, or resolved now.
Result<imagebuilder::PythonLock> LockOf(Workspace& workspace, const api::CreateImage& wanted,
                                        const ImageInputs& inputs,
                                        const std::filesystem::path& scratch,
                                        const imagebuilder::WorkHooks& hooks);

/// The same without resolving: nothing where it is not known.
Result<std::optional<imagebuilder::PythonLock>> KnownLock(Workspace& workspace,
                                                          const api::CreateImage& wanted,
                                                          const ImageInputs& inputs);

/// The builder's part of the inputs.
imagebuilder::PythonSpec MakePythonSpec(Workspace& workspace, const ImageInputs& inputs,
                                        imagebuilder::PythonLock lock);

std::vector<api::ImageWarning> WarningsOf(const imagebuilder::EnvironmentPlan& plan,
                                          const imagebuilder::PythonLock& lock);

}  // namespace slipway::workspace
