// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"

/// An image that is run on this machine without a service.
namespace slipway::workspace {

class Workspace;

struct ServedImageRequest {
  std::filesystem::path place = {};  ///< OCI layout or archive; empty: the blobs are there already
  std::string digest = {};           ///< that it must have; empty: any
};

struct ServedImage {
  std::string digest;
  std::vector<std::string> command;      ///< program and arguments, as paths of this machine
  std::vector<std::string> environment;  ///< `NAME=value`
  std::filesystem::path folder;          ///< to start it in
};

/// Takes the image in and lays it out as MakeScriptEnvironment does a Python. kNotFound (id
/// `Blob.NotFound`) where it is to be here and is not; kInvalidArgument (ids `Image.Archive` for
/// what is no image, `Image.NotServable` for one that runs another program than slipway-serve);
/// kDataLoss (id `Image.Damaged`).
Result<ServedImage> LayOutServed(Workspace& workspace, const ServedImageRequest& wanted,
                                 const imagebuilder::WorkHooks& hooks);

/// The image, or what it failed with, as `slipwayd unpack` tells it.
std::string ServedImageText(const Result<ServedImage>& served);

}  // namespace slipway::workspace
