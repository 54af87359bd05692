// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_verify.h"

#include <algorithm>
#include <array>
#include <memory>
#include <shared_mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/limits.h"
#include "imagebuilder/compare.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/tools.h"
#include "workspace/image_inputs.h"
#include "workspace/image_spec.h"
#include "workspace/images.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using imagebuilder::PartComparison;
using State = imagebuilder::PartComparison::State;

/// Layers of Slipway's own making: its programs, what these load, and what it writes for them.
constexpr std::array<std::string_view, 5> kOwnLayers = {"server", "system", "modules", "libraries",
                                                        "config"};

constexpr const char* kOtherBuild = "other-build";

/// The image again, in a store of its own.
struct Rebuilt {
  std::unique_ptr<BlobStore> blobs;
  imagebuilder::Image image;
};

std::string_view StateName(State state) {
  switch (state) {
    case State::kSame:
      return "same";
    case State::kRepacked:
      return "repacked";
    case State::kDiffers:
      return "differs";
    case State::kFirstOnly:
      return "extra";
    case State::kSecondOnly:
      return "missing";
  }
  return {};
}

Error NotRebuilt(std::string message) {
  return {.code = Code::kFailedPrecondition,
          .message = std::move(message),
          .id = "Image.NotRebuilt",
          .fix = "build it here from a registered model"};
}

/// Blobs that the new image only refers to, for steps to be run on them.
Result<void> CopyBase(const BlobStore& from, const imagebuilder::BuildSpec& spec, BlobStore& to) {
  for (const imagebuilder::Layer& layer : spec.base_layers) {
    const Digest digest = TRY(Digest::Parse(layer.blob.digest));
    const std::filesystem::path file = TRY(from.Path(digest));
    TRY(to.PutFile(file));
  }
  return {};
}

Result<imagebuilder::BuildSpec> SpecAgain(Workspace& workspace, const std::string& workspace_name,
                                          const api::Image& image, const ImageOrigin& origin) {
  const bool with_script = !origin.request.script.path.empty();
  const auto models = ResolveModels(workspace, workspace_name, origin.request.models, with_script);
  if (!models) return NotRebuilt(models.error().message);
  imagebuilder::BuildSpec spec = TRY(MakeSpec(workspace, *models));
  if (!with_script) return spec;
  const ImageInputs inputs = TRY(ReadImageInputs(workspace, origin.request));
  const Digest digest = TRY(Digest::Parse(image.lock));
  const std::string text = TRY(workspace.blobs().ReadVerified(digest, limits::kJsonBytes));
  imagebuilder::PythonLock lock = TRY(imagebuilder::ParseLock(text));
  TRY(SetPython(workspace, inputs, std::move(lock), spec));
  return spec;
}

Result<Rebuilt> BuildAgain(Workspace& workspace, const imagebuilder::BuildSpec& spec,
                           const std::filesystem::path& scratch, Progress& progress) {
  Rebuilt rebuilt;
  rebuilt.blobs = TRY(BlobStore::Open(scratch / "blobs"));
  TRY(CopyBase(workspace.blobs(), spec, *rebuilt.blobs));
  const auto cache = imagebuilder::MakeMemoryLayerCache();
  imagebuilder::PythonTools tools(
      {.folder = scratch / "python", .environment = Workspace::surroundings()}, workspace.blobs());
  std::int64_t percent = 0;
  imagebuilder::BuildContext context{.blobs = *rebuilt.blobs,
                                     .cache = *cache,
                                     .progress =
                                         [&progress, &percent](std::string_view phase) {
                                           percent += (80 - percent) / 4;
                                           progress.Phase(phase, percent);
                                         },
                                     .cancelled = [&progress] { return progress.Cancelled(); },
                                     .tools = &tools,
                                     .scratch = scratch};
  rebuilt.image = TRY(imagebuilder::Build(spec, context));
  return rebuilt;
}

api::PartCheck CheckOf(const PartComparison& part) {
  return {.name = part.name,
          .state = std::string(StateName(part.state)),
          .digest = part.first,
          .rebuilt_digest = part.second,
          .difference = part.difference};
}

bool AsRebuilt(const api::PartCheck& part) {
  return part.state == "same" || part.state == "repacked";
}

bool IsOwn(std::string_view part) {
  return part == imagebuilder::kSettingsPart ||
         std::ranges::find(kOwnLayers, part) != kOwnLayers.end();
}

/// Excuses parts of Slipway's own making that are what the build made, be it other than these
/// programs would make.
void ExcuseOtherBuild(const ImageOrigin& origin, std::vector<api::PartCheck>& parts) {
  for (api::PartCheck& part : parts) {
    if (AsRebuilt(part) || !IsOwn(part.name)) continue;
    const auto made = origin.own_parts.find(part.name);
    const std::string digest = made == origin.own_parts.end() ? "" : made->second;
    if (digest == part.digest && !origin.own_parts.empty()) {
      part.state = kOtherBuild;
    } else {
      part.difference += (part.difference.empty() ? "" : "; ") +
                         std::string("not what the build made, ") +
                         (digest.empty() ? "which has no such part" : digest);
    }
  }
}

bool Any(const api::Verification& verification, std::string_view state) {
  return std::ranges::find(verification.parts, state, &api::PartCheck::state) !=
         verification.parts.end();
}

std::string CountText(const api::Verification& verification) {
  const auto same = std::ranges::count_if(verification.parts, AsRebuilt);
  return std::to_string(same) + " of " + std::to_string(verification.parts.size()) +
         " parts are what its inputs give";
}

void Judge(api::Verification& verification) {
  const bool differs =
      Any(verification, "differs") || Any(verification, "missing") || Any(verification, "extra");
  verification.state = differs                          ? "differs"
                       : Any(verification, kOtherBuild) ? kOtherBuild
                                                        : "verified";
  if (!differs) verification.detail = CountText(verification);
  std::string own;
  for (const api::PartCheck& part : verification.parts) {
    if (AsRebuilt(part)) continue;
    if (part.state == kOtherBuild) {
      own += (own.empty() ? "" : ", ") + part.name;
    } else if (verification.detail.empty()) {
      verification.detail =
          part.name + ": " + (part.difference.empty() ? part.state : part.difference);
    }
  }
  if (!differs && !own.empty()) {
    verification.detail += "; " + own + " of another build of Slipway than this";
  }
}

Result<void> Compare(Workspace& workspace, const std::string& workspace_name,
                     const api::Image& image, Progress& progress, api::Verification& verification) {
  progress.Phase("reading the stored image", 2);
  const imagebuilder::Image stored = TRY(imagebuilder::Load(workspace.blobs(), image.digest));
  for (const imagebuilder::Layer& layer : stored.layers) {
    const Digest digest = TRY(Digest::Parse(layer.blob.digest));
    TRY(workspace.blobs().Verify(digest));
  }
  const ImageOrigin origin =
      TRY(workspace.store().GetImageOrigin(workspace_name, {image.name, image.version}));
  if (origin.request.name.empty()) {
    verification.state = "not-rebuilt";
    verification.detail = "it was not built here, or before inputs were recorded";
    return {};
  }
  const std::filesystem::path scratch = TRY(MakeTempFolder(workspace.temp_folder(), "verify-"));
  const ScopedTree cleanup(scratch);
  const auto spec = SpecAgain(workspace, workspace_name, image, origin);
  if (!spec && spec.error().id == "Image.NotRebuilt") {
    verification.state = "not-rebuilt";
    verification.detail = spec.error().message;
    return {};
  }
  if (!spec) return spec.error();
  const Rebuilt rebuilt = TRY(BuildAgain(workspace, *spec, scratch, progress));
  verification.digest = rebuilt.image.manifest.digest;
  progress.Phase("comparing", 90);
  const auto parts = TRY(
      imagebuilder::CompareImages({workspace.blobs(), stored}, {*rebuilt.blobs, rebuilt.image}));
  for (const PartComparison& part : parts) verification.parts.push_back(CheckOf(part));
  ExcuseOtherBuild(origin, verification.parts);
  for (const api::PartCheck& check : verification.parts) {
    progress.Log(check.name + ": " + check.state +
                 (check.difference.empty() ? "" : " (" + check.difference + ")"));
  }
  Judge(verification);
  return {};
}

}  // namespace

api::TextMap OwnParts(const imagebuilder::Image& image) {
  api::TextMap parts;
  // A base may be an image of Slipway's too; its layers come first.
  for (const imagebuilder::Layer& layer : image.layers) {
    if (IsOwn(layer.name)) parts[layer.name] = layer.blob.digest;
  }
  parts[std::string(imagebuilder::kSettingsPart)] = image.config.digest;
  return parts;
}

Result<api::Verification> VerifyByRebuilding(Workspace& workspace,
                                             const std::string& workspace_name,
                                             const api::Image& image, Progress& progress) {
  api::Verification verification;
  verification.time = FormatTime(workspace.clock().Now());
  Result<void> compared = Compare(workspace, workspace_name, image, progress, verification);
  const bool damaged = !compared && (compared.error().code == Code::kDataLoss ||
                                     compared.error().id == "Blob.NotFound");
  if (!compared && !damaged) return compared.error();
  if (damaged) {
    verification.state = "differs";
    verification.detail = compared.error().message;
  }
  TRY(workspace.store().KeepVerification(workspace_name, {image.name, image.version},
                                         verification));
  if (!damaged) return verification;
  Error error = std::move(compared).error();
  error.code = Code::kDataLoss;
  error.id = "Image.Damaged";
  error.fix = "build or pull the image again";
  return error;
}

Result<void> CheckVerified(const api::Image& image, const api::Verification& verification,
                           OwnPrograms programs) {
  const bool other_build = verification.state == kOtherBuild;
  if (verification.state == "verified") return {};
  if (other_build && programs == OwnPrograms::kAny) return {};
  if (verification.state == "not-rebuilt") {
    return NotRebuilt("image \"" + image.id +
                      "\" is whole, but cannot be built again: " + verification.detail);
  }
  if (other_build) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = "image \"" + image.id +
                   "\" was made with other programs of Slipway than these: " + verification.detail,
        .id = "Image.OtherBuild",
        .fix = "build the image again, or verify it with the Slipway that made it"};
  }
  return Error{
      .code = Code::kFailedPrecondition,
      .message = "image \"" + image.id + "\" is not what its inputs give: " + verification.detail,
      .id = "Image.Differs",
      .fix =
          "build the image again and compare; RUN steps that fetch or note the time "
          "give other files each time"};
}

Result<api::Operation> StartImageVerify(Workspace& workspace, const std::string& workspace_name,
                                        const api::Image& image, OwnPrograms programs) {
  Job job{.kind = "image.verify", .workspace = workspace_name};
  job.prepare = [workspace_name, image](const std::string&) -> Result<std::string> {
    return "/workspaces/" + workspace_name + "/images/" + image.name + "/versions/" +
           std::to_string(image.version);
  };
  job.run = [&workspace, workspace_name, image, programs](Progress& progress) -> Result<void> {
    const std::shared_lock keep(workspace.keep_mutex());
    const api::Verification verification =
        TRY(VerifyByRebuilding(workspace, workspace_name, image, progress));
    return CheckVerified(image, verification, programs);
  };
  job.succeed = []() -> Result<void> { return {}; };
  job.fail = [](const Error&) -> Result<void> { return {}; };
  return workspace.operations().Start(std::move(job));
}

}  // namespace slipway::workspace
