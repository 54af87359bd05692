// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_base.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "imagebuilder/distribution.h"
#include "imagebuilder/docker_config.h"
#include "imagebuilder/python/oci_import.h"
#include "imagebuilder/python/rootfs_import.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> EnvironmentOf(const imagebuilder::RunConfig& config) {
  std::map<std::string, std::string> environment;
  for (const std::string& variable : config.environment) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    environment[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return environment;
}

}  // namespace

Result<void> CheckBase(const Principal& principal, const std::string& base) {
  if (!base.starts_with('/') || !imagebuilder::IsRootfs(base)) return {};
  if (principal.role == Role::kOwner && principal.workspace.empty()) return {};
  return Error{.code = Code::kPermissionDenied,
               .message = "the base " + base +
                          " is a folder of the service's machine, which only its owner may read",
               .id = "Auth.Forbidden",
               .fix = "give an OCI archive, or a registry's reference"};
}

Result<imagebuilder::Image> FetchBase(Workspace& workspace, const std::string& base,
                                      const fs::path& scratch,
                                      const imagebuilder::WorkHooks& hooks) {
  std::error_code failed;
  if (base.starts_with('/')) {
    if (!fs::exists(base, failed)) {
      return Error{.code = Code::kNotFound,
                   .message = "the base " + base + " is not on the service's machine",
                   .id = "Image.Base"};
    }
    hooks.Say("base: reading " + base);
    if (!imagebuilder::IsRootfs(base)) {
      auto image = imagebuilder::ImportLayout(base, workspace.blobs(), "amd64", scratch);
      if (!image) return Within("the base", std::move(image).error());
      return image;
    }
    imagebuilder::BuildContext context{.blobs = workspace.blobs(),
                                       .cache = workspace.layer_cache(),
                                       .progress = hooks.say,
                                       .cancelled = hooks.cancelled};
    return imagebuilder::ImportRootfs(base, "amd64", context);
  }
  const auto reference = TRY(imagebuilder::ParseRegistryReference(base));
  hooks.Say("base: fetching " + base);
  imagebuilder::RegistryOptions options{.progress = hooks.say, .cancelled = hooks.cancelled};
  options.login = TRY(imagebuilder::FindRegistryLogin(reference.host, Workspace::surroundings()));
  options.trust =
      TRY(imagebuilder::FindRegistryTrust(reference.host, imagebuilder::CertificateFolders()));
  const auto registry =
      imagebuilder::Registry::Open(reference, std::move(options), workspace.clock());
  return registry->Pull(workspace.blobs());
}

Result<imagebuilder::GivenBase> UnpackBase(Workspace& workspace, const imagebuilder::Image& image) {
  const Digest digest = TRY(Digest::Parse(image.manifest.digest));
  const fs::path folder = workspace.run_folder() / "python" / "bases" / std::string(digest.hex());
  const fs::path root = TRY(
      imagebuilder::Unpack(workspace.blobs(), image, folder, workspace.run_folder() / "layers"));
  const auto config = TRY(imagebuilder::ReadRunConfig(workspace.blobs(), image));
  const auto environment = EnvironmentOf(config);
  const auto path = environment.find("PATH");
  return imagebuilder::GivenBase{.digest = image.manifest.digest,
                                 .root = root,
                                 .path_folders = path == environment.end()
                                                     ? std::vector<std::string>()
                                                     : Split(path->second, ':')};
}

Result<void> AddBase(Workspace& workspace, const imagebuilder::Image& image,
                     imagebuilder::PythonSpec& python, imagebuilder::BuildSpec& spec) {
  const auto config = TRY(imagebuilder::ReadRunConfig(workspace.blobs(), image));
  python.base_environment = EnvironmentOf(config);
  python.base_root = TRY(UnpackBase(workspace, image)).root;
  spec.base_layers = image.layers;
  for (imagebuilder::Layer& layer : spec.base_layers) {
    if (layer.name.empty()) layer.name = "base";
    if (layer.summary.empty()) layer.summary = "of the given base";
  }
  return {};
}

}  // namespace slipway::workspace
