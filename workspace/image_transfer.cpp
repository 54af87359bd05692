// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_transfer.h"

#include <memory>
#include <mutex>
#include <shared_mutex>

#include "imagebuilder/distribution.h"
#include "imagebuilder/docker_config.h"
#include "registry/registry.h"
#include "workspace/images.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using imagebuilder::RegistryLogin;
using imagebuilder::RegistryOptions;
using imagebuilder::RegistryReference;

/// A registry to talk to, as whom, and whom to trust as it; as far as the request says.
struct Peer {
  RegistryReference reference;
  RegistryLogin login = {};
  imagebuilder::RegistryTrust trust = {};
  bool plain_http = false;
};

Result<Peer> ReadPeer(const std::string& reference, const std::string& username,
                      const std::string& password, const std::string& ca) {
  Peer peer;
  peer.reference = TRY(imagebuilder::ParseRegistryReference(reference));
  peer.login = {.username = username, .password = password};
  if (username.empty() != password.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "username and password must both be given, or neither",
                 .id = "Request.Invalid"};
  }
  if (!ca.empty()) TRY(imagebuilder::AddAuthorities("ca", ca, peer.trust));
  return peer;
}

/// What the request does not say, the service's own Docker configuration does, which may run a
/// credential helper.
Result<std::unique_ptr<imagebuilder::Registry>> Open(const Peer& peer, Progress& progress) {
  const std::string& host = peer.reference.host;
  auto percent = std::make_shared<std::int64_t>(0);
  RegistryOptions options{.login = peer.login, .plain_http = peer.plain_http};
  options.trust = TRY(imagebuilder::FindRegistryTrust(host, imagebuilder::CertificateFolders()));
  options.trust.ca_pem += peer.trust.ca_pem;
  if (options.login.username.empty()) {
    options.login = TRY(imagebuilder::FindRegistryLogin(host, Workspace::surroundings()));
  }
  options.progress = [&progress, percent](std::string_view line) {
    *percent += (95 - *percent) / 6;
    progress.Phase(line, *percent);
  };
  options.cancelled = [&progress] { return progress.Cancelled(); };
  return imagebuilder::Registry::Open(peer.reference, std::move(options));
}

std::string PathOf(const std::string& workspace_name, const api::Image& image) {
  return "/workspaces/" + workspace_name + "/images/" + image.name + "/versions/" +
         std::to_string(image.version);
}

/// An image on its way here.
struct PullWork {
  Peer peer;
  api::Image image;
  imagebuilder::Image built;
  std::shared_lock<std::shared_mutex> keep;
};

Result<void> Push(Workspace& workspace, const std::string& digest, const Peer& peer,
                  Progress& progress) {
  const std::shared_lock keep(workspace.keep_mutex());
  const imagebuilder::Image image = TRY(imagebuilder::Load(workspace.blobs(), digest));
  const auto registry = TRY(Open(peer, progress));
  TRY(registry->Push(workspace.blobs(), image));
  return {};
}

}  // namespace

Result<api::Operation> StartImagePush(Workspace& workspace, const std::string& workspace_name,
                                      const api::Image& image, const api::PushImage& wanted) {
  const auto peer = std::make_shared<Peer>(
      TRY(ReadPeer(wanted.reference, wanted.username, wanted.password, wanted.ca)));
  peer->plain_http = wanted.plain_http;
  Job job{.kind = "image.push", .workspace = workspace_name};
  job.prepare = [workspace_name, image](const std::string&) -> Result<std::string> {
    return PathOf(workspace_name, image);
  };
  job.run = [&workspace, peer, digest = image.digest](Progress& progress) {
    return Push(workspace, digest, *peer, progress);
  };
  job.succeed = []() -> Result<void> { return {}; };
  job.fail = [](const Error&) -> Result<void> { return {}; };
  return workspace.operations().Start(std::move(job));
}

Result<api::Operation> StartImagePull(Workspace& workspace, const std::string& workspace_name,
                                      const api::PullImage& wanted) {
  if (auto named = registry::CheckName("image name", wanted.name); !named) {
    Error error = std::move(named).error();
    error.id = "Image.Name";
    return error;
  }
  TRY(workspace.store().GetWorkspace(workspace_name));
  auto work = std::make_shared<PullWork>();
  work->peer = TRY(ReadPeer(wanted.reference, wanted.username, wanted.password, wanted.ca));
  work->peer.plain_http = wanted.plain_http;
  Job job{.kind = "image.pull", .workspace = workspace_name};
  job.prepare = [&workspace, workspace_name, wanted,
                 work](const std::string& operation_id) -> Result<std::string> {
    const api::CreateImage image{.name = wanted.name,
                                 .models = {},
                                 .description = wanted.description,
                                 .tags = wanted.tags,
                                 .properties = wanted.properties};
    work->image = TRY(InsertImage(workspace, workspace_name, image, {}, operation_id));
    return PathOf(workspace_name, work->image);
  };
  job.run = [&workspace, work](Progress& progress) -> Result<void> {
    work->keep = std::shared_lock(workspace.keep_mutex());
    const auto registry = TRY(Open(work->peer, progress));
    work->built = TRY(registry->Pull(workspace.blobs()));
    progress.Log("image " + work->image.id + " is " + work->built.manifest.digest);
    return {};
  };
  job.succeed = [&workspace, workspace_name, work] {
    return FinishImage(workspace, workspace_name, work->image, work->built);
  };
  job.fail = [&workspace, work](const Error& error) {
    return workspace.store().FailImagesOf(work->image.operation_id, error.message);
  };
  return workspace.operations().Start(std::move(job));
}

Result<void> PushForDeploy(Workspace& workspace, const ServiceRow& row, Progress& progress) {
  const deployer::ImageRegistry& registry = row.deployment.image_registry;
  if (registry.address.empty()) return {};
  const std::string& image = row.service.image;
  const Peer peer =
      TRY(ReadPeer(registry.address + "/" + image, registry.username, registry.password, ""));
  const std::string& digest = row.service.image_digest;
  if (const auto there = TRY(Open(peer, progress))->Has(digest); there && *there) return {};
  progress.Phase("pushing " + image + " to " + registry.address, 65);
  return Push(workspace, digest, peer, progress);
}

}  // namespace slipway::workspace
