// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

#include "base/process.h"

namespace slipway::server {

void UsePassiveWaiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  const std::filesystem::path program = ThisProgram();
  // Started by way of the dynamic loader, the running program is the loader.
  if (program.filename() != "slipway-serve") return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv(program.c_str(), argv);
}

}  // namespace slipway::server
