// SPDX-License-Identifier: Apache-2.0
#include "workspace/deploy.h"

#include "workspace/workspace.h"

namespace slipway::workspace {

Result<deployer::DeploySpec> MakeDeploySpec(Workspace& workspace, const ServiceRow& row) {
  const api::Service& service = row.service;
  const Digest digest = TRY(Digest::Parse(service.image_digest));
  const imagebuilder::Image image =
      TRY(imagebuilder::Load(workspace.blobs(), service.image_digest));
  const imagebuilder::RunConfig run = TRY(imagebuilder::ReadRunConfig(workspace.blobs(), image));
  deployer::DeploySpec spec{.workspace = row.workspace,
                            .service = service.name,
                            .revision = service.revision,
                            .image_reference = service.image,
                            .image_digest = service.image_digest,
                            .entrypoint = run.entrypoint,
                            .environment = run.environment,
                            .working_folder = run.working_folder,
                            .port = TRY(Narrow<int>(row.port))};
  spec.rootfs = TRY(imagebuilder::Unpack(workspace.blobs(), image,
                                         workspace.run_folder() / "images" / digest.hex(),
                                         workspace.run_folder() / "layers"));
  spec.environment.push_back("WORKSPACE_NAME=" + row.workspace);
  spec.environment.push_back("SERVICE_NAME=" + service.name);
  return spec;
}

Result<deployer::Observed> Deploy(Workspace& workspace, const ServiceRow& row, Progress& progress) {
  progress.Phase("unpacking " + row.service.image, 60);
  const deployer::DeploySpec spec = TRY(MakeDeploySpec(workspace, row));
  deployer::Driver* driver = TRY(workspace.targets().Find(row.service.target));
  progress.Phase("starting " + row.service.name + " on " + row.service.target, 70);
  TRY(driver->Apply(spec));
  progress.Phase("waiting until " + row.service.name + " answers", 80);
  return deployer::WaitReady(*driver, {row.workspace, row.service.name}, workspace.clock(),
                             {.timeout = workspace.config().ready_timeout,
                              .cancelled = [&progress] { return progress.Cancelled(); }});
}

}  // namespace slipway::workspace
