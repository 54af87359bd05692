// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/control_group.h"

namespace slipway::imagebuilder {

struct SandboxSpec {
  std::filesystem::path root;  ///< the container's root, written to
  std::string command;         ///< for /bin/sh of the root
  std::string called = {};     ///< what errors call it; empty: the step 'RUN COMMAND'
  std::string folder = "/";    ///< working folder there
  std::map<std::string, std::string> environment = {};
  std::filesystem::path scratch;
  std::chrono::seconds timeout{2400};
  bool network = true;  ///< that of the machine; otherwise none
  ResourceLimits limits = DefaultLimits();
};

/// Runs a shell command in a container of a root file system: own processes, mounts and host name,
/// the capabilities a container engine would give, no core files.
/// Memory and processes are bounded by control groups where these can be had, else by prlimit; the
/// log says which. Without root, the user is root in a user namespace of its own. kUnavailable (id
/// `Image.NoSandbox`) where the machine allows neither; kFailedPrecondition (id `Image.StepFailed`)
/// with the last line the command wrote, kResourceExhausted (id `Image.StepLimit`) where it met a
/// limit; the errors of RunCommand.
Result<void> RunInSandbox(const SandboxSpec& spec, const WorkHooks& hooks);

}  // namespace slipway::imagebuilder
