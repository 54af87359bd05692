// SPDX-License-Identifier: Apache-2.0
#include "workspace/deploy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/file.h"
#include "workspace/image_transfer.h"
#include "workspace/service_keys.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// The image as an archive in a folder of its own, written when it is first asked for; it goes
/// with the object. Thread-safe.
class LazyArchive {
 public:
  LazyArchive(Workspace& workspace, imagebuilder::Image image, std::string reference)
      : workspace_(workspace), image_(std::move(image)), reference_(std::move(reference)) {}
  ~LazyArchive() {
    if (!folder_.empty()) static_cast<void>(RemoveTree(folder_).has_value());
  }
  LazyArchive(const LazyArchive&) = delete;
  LazyArchive& operator=(const LazyArchive&) = delete;

  Result<std::filesystem::path> File() {
    const std::lock_guard lock(mutex_);
    if (!file_.empty()) return file_;
    const imagebuilder::OutputType output = TRY(imagebuilder::FindOutput("docker-archive"));
    if (folder_.empty()) folder_ = TRY(MakeTempFolder(workspace_.temp_folder(), "archive-"));
    TRY(output.write(workspace_.blobs(), image_, reference_, folder_ / "image.tar"));
    file_ = folder_ / "image.tar";
    return file_;
  }

 private:
  Workspace& workspace_;
  const imagebuilder::Image image_;
  const std::string reference_;
  std::mutex mutex_;  // guards what follows
  std::filesystem::path folder_, file_;
};

/// Where a cluster pulls the image, if the deployment names a registry for it.
std::string LocationOf(const ServiceRow& row) {
  const std::string& address = row.deployment.image_registry.address;
  if (address.empty()) return {};
  const std::string name = row.service.image.substr(0, row.service.image.find(':'));
  return fmt::format("{}/{}@{}", address, name, row.service.image_digest);
}

/// What a scoring server on this machine is started with, which other targets see to themselves.
Result<void> AddForThisMachine(Workspace& workspace, const ServiceRow& row,
                               const imagebuilder::Image& image, deployer::DeploySpec& spec) {
  const Digest digest = TRY(Digest::Parse(row.service.image_digest));
  spec.rootfs = TRY(imagebuilder::Unpack(workspace.blobs(), image,
                                         workspace.run_folder() / "images" / digest.hex(),
                                         workspace.run_folder() / "layers"));
  TRY(WriteKeyFile(workspace, row));
  if (row.deployment.auth_enabled) {
    spec.environment.push_back("SLIPWAY_AUTH_KEYS_FILE=" + KeyFile(workspace, row).string());
  }
  spec.deployment.primary_key.clear();
  spec.deployment.secondary_key.clear();
  for (std::string& line : deployer::ScoringEnvironment(row.deployment)) {
    spec.environment.push_back(std::move(line));
  }
  if (spec.memory_gb > 0) {
    // A process has no control group whose bound the runtime would find.
    const auto megabytes = static_cast<std::int64_t>(spec.memory_gb * 1024);
    spec.environment.push_back(
        fmt::format("SLIPWAY_MODEL_MEMORY_MB={}", std::max<std::int64_t>(megabytes, 1)));
  }
  return {};
}

}  // namespace

Result<deployer::DeploySpec> MakeDeploySpec(Workspace& workspace, const ServiceRow& row) {
  const api::Service& service = row.service;
  const deployer::Deployment& deployment = row.deployment;
  const imagebuilder::Image image =
      TRY(imagebuilder::Load(workspace.blobs(), service.image_digest));
  const imagebuilder::RunConfig run = TRY(imagebuilder::ReadRunConfig(workspace.blobs(), image));
  const int port = TRY(Narrow<int>(row.port));
  deployer::DeploySpec spec{.workspace = row.workspace,
                            .service = service.name,
                            .revision = service.revision,
                            .image_reference = service.image,
                            .image_digest = service.image_digest,
                            .entrypoint = run.entrypoint,
                            .environment = run.environment,
                            .working_folder = run.working_folder,
                            .port = port};
  spec.cpu_cores = std::max(deployment.cpu_cores, deployment.cpu_cores_limit);
  spec.memory_gb = std::max(deployment.memory_gb, deployment.memory_gb_limit);
  spec.deployment = deployment;
  spec.image_location = LocationOf(row);
  spec.environment.push_back("WORKSPACE_NAME=" + row.workspace);
  spec.environment.push_back("SERVICE_NAME=" + service.name);
  if (deployer::RunsUnpacked(service.target)) {
    TRY(AddForThisMachine(workspace, row, image, spec));
  } else {
    const auto archive = std::make_shared<LazyArchive>(workspace, image, service.image);
    spec.archive = [archive] { return archive->File(); };
  }
  return spec;
}

Result<deployer::Observed> Deploy(Workspace& workspace, const ServiceRow& row, Progress& progress) {
  const deployer::WaitOptions options{.timeout = workspace.config().ready_timeout,
                                      .cancelled = [&progress] { return progress.Cancelled(); }};
  progress.Phase("unpacking " + row.service.image, 60);
  if (IsSplit(row)) {
    TRY(UnpackService(workspace, row));
    progress.Phase("starting revisions of " + row.service.name, 70);
    return ApplyAndWait(workspace, row, options);
  }
  const deployer::DeploySpec spec = TRY(MakeDeploySpec(workspace, row));
  deployer::Driver* driver = TRY(workspace.targets().Find(row.service.target));
  if (!deployer::RunsUnpacked(row.service.target)) TRY(PushForDeploy(workspace, row, progress));
  progress.Phase("starting " + row.service.name + " on " + row.service.target, 70);
  TRY(driver->Apply(spec));
  progress.Phase("waiting until " + row.service.name + " answers", 80);
  return deployer::WaitReady(*driver, {row.workspace, row.service.name}, workspace.clock(),
                             options);
}

}  // namespace slipway::workspace
