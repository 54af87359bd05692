// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "workspace/api.h"
#include "workspace/operations.h"

/// Whether an image is what its recorded inputs give.
namespace slipway::workspace {

class Workspace;

/// Builds the image again from its recorded inputs and lock, with nothing that was made before and
/// nothing from a network but what RUN steps fetch, and compares the two part by part. What another
/// Slipway made of its own, or of other libraries of this machine, cannot be given again: such a
/// part must be the one that is on record. What came of it is kept with the image. Each part is
/// told as a log line. kDataLoss (id `Image.Damaged`) where blobs of
/// the image are not what their digests say; that is kept too. Hold keep_mutex() shared.
Result<api::Verification> VerifyByRebuilding(Workspace& workspace,
                                             const std::string& workspace_name,
                                             const api::Image& image, Progress& progress);

/// Digests of the parts of an image that come of no input: Slipway's own programs and libraries,
/// what they are told to serve, and how the image is started.
api::TextMap OwnParts(const imagebuilder::Image& image);

/// Whether Slipway's own programs in an image may be those of the build that made it.
enum class OwnPrograms : std::uint8_t { kAny, kSame };

/// An error for everything but `verified`, and `other-build` where any programs will do: ids
/// `Image.Differs`, `Image.OtherBuild`, `Image.NotRebuilt`.
Result<void> CheckVerified(const api::Image& image, const api::Verification& verification,
                           OwnPrograms programs);

/// Starts the operation `image.verify`, which fails as CheckVerified says.
Result<api::Operation> StartImageVerify(Workspace& workspace, const std::string& workspace_name,
                                        const api::Image& image, OwnPrograms programs);

}  // namespace slipway::workspace
