// SPDX-License-Identifier: Apache-2.0
// Deploys one service of target `process` and waits to be killed:
// fake_supervisor STATE_FOLDER ROOTFS SAY
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/http/client.h"
#include "deployer/deployer.h"

int main(int argc, char** argv) {
  using namespace slipway;
  if (argc != 4) return 2;
  const std::filesystem::path state = argv[1];
  auto client = http::MakeClient({});
  auto targets = deployer::Targets::Make({.run_folder = state / "run",
                                          .log_folder = state / "logs",
                                          .http = *client,
                                          .clock = SystemClock()});
  auto driver = targets->Find("process");
  if (!driver) return 1;
  deployer::DeploySpec spec{.workspace = "w",
                            .service = "s",
                            .image_reference = "image:1",
                            .rootfs = argv[2],
                            .entrypoint = {"/bin/fake_serve", "--mode", "ok", "--say", argv[3]}};
  auto applied = (*driver)->Apply(spec);
  if (applied) {
    auto ready = deployer::WaitReady(**driver, {"w", "s"}, SystemClock());
    if (ready) std::printf("%s\n", ready->endpoint.c_str());
  }
  std::fflush(stdout);
  while (true) ::pause();
}
