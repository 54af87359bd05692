// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/process.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

struct CommandOptions {
  int listen_fd = -1, health_fd = -1;
  std::string mark;  ///< value of kMarkVariable
  std::filesystem::path log;
};

/// Environment variable by which a process is known as one of a service.
inline constexpr std::string_view kMarkVariable = "SLIPWAY_INSTANCE";

/// How to start the image's program on this machine: its entrypoint with every absolute path that
/// exists in the root file system put below it, `--root`, its environment and working folder.
/// Errors as CommandFor.
Result<ProcessSpec> ImageCommand(const DeploySpec& spec);

/// The same as a process of a service, or the relay for a spec with upstreams: with the sockets it
/// inherits and what it may use. kNotFound (id `Service.ProgramMissing`) if the program is not
/// there, kInvalidArgument without entrypoint.
Result<ProcessSpec> CommandFor(const DeploySpec& spec, const CommandOptions& options);

}  // namespace slipway::deployer
