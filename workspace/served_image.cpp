// SPDX-License-Identifier: Apache-2.0
#include "workspace/served_image.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <utility>

#include "base/file.h"
#include "base/http/http.h"
#include "base/json.h"
#include "deployer/process/command.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/oci_import.h"
#include "workspace/image_spec.h"
#include "workspace/script_environment.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;

Result<imagebuilder::Image> TakeIn(Workspace& workspace, const fs::path& place,
                                   const imagebuilder::WorkHooks& hooks) {
  hooks.Say("reading " + place.string());
  const fs::path scratch = TRY(MakeTempFolder(workspace.temp_folder(), "unpack-"));
  const ScopedTree cleanup(scratch);
  auto image = imagebuilder::ImportLayout(place, workspace.blobs(), "amd64", scratch);
  if (image || image.error().id != "Image.Base") return image;
  Error error = std::move(image).error();
  error.id = "Image.Archive";
  error.fix =
      "give an OCI layout or archive, such as slipway image save NAME FILE -f oci-archive writes";
  return error;
}

Result<imagebuilder::Image> Find(Workspace& workspace, const ServedImageRequest& wanted,
                                 const imagebuilder::WorkHooks& hooks) {
  if (wanted.place.empty()) return imagebuilder::Load(workspace.blobs(), wanted.digest);
  imagebuilder::Image image = TRY(TakeIn(workspace, wanted.place, hooks));
  if (wanted.digest.empty() || image.manifest.digest == wanted.digest) return image;
  return Error{.code = Code::kDataLoss,
               .message = wanted.place.string() + " holds image " + image.manifest.digest +
                          ", it should be " + wanted.digest,
               .id = "Image.Damaged"};
}

Result<void> CheckServable(const imagebuilder::RunConfig& run, const std::string& digest) {
  if (std::ranges::find(run.entrypoint, imagebuilder::kServerProgram) != run.entrypoint.end()) {
    return {};
  }
  return Error{
      .code = Code::kInvalidArgument,
      .message = "image " + digest + " does not run " + std::string(imagebuilder::kServerProgram) +
                 (run.entrypoint.empty() ? "" : ", but " + run.entrypoint.front()),
      .id = "Image.NotServable",
      .fix = "slipway serve runs images that Slipway has built; run others in a container"};
}

}  // namespace

Result<ServedImage> LayOutServed(Workspace& workspace, const ServedImageRequest& wanted,
                                 const imagebuilder::WorkHooks& hooks) {
  const std::shared_lock keep(workspace.keep_mutex());
  const imagebuilder::Image image = TRY(Find(workspace, wanted, hooks));
  const std::string& digest = image.manifest.digest;
  const imagebuilder::RunConfig run = TRY(imagebuilder::ReadRunConfig(workspace.blobs(), image));
  TRY(CheckServable(run, digest));
  hooks.Say("unpacking " + digest);
  deployer::DeploySpec spec{.image_reference = digest,
                            .image_digest = digest,
                            .entrypoint = run.entrypoint,
                            .environment = run.environment,
                            .working_folder = run.working_folder};
  spec.rootfs = TRY(LayOutTree(workspace, image));
  ProcessSpec process = TRY(deployer::ImageCommand(spec));
  return ServedImage{.digest = digest,
                     .command = std::move(process.argv),
                     .environment = std::move(process.environment),
                     .folder = process.folder.empty() ? spec.rootfs : process.folder};
}

std::string ServedImageText(const Result<ServedImage>& served) {
  if (!served) return ProblemText(served.error());
  return DumpJson({{"digest", served->digest},
                   {"command", served->command},
                   {"environment", served->environment},
                   {"folder", served->folder.string()}});
}

}  // namespace slipway::workspace
