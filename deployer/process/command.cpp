// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/command.h"

#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/relay/balance.h"
#include "deployer/relay/process.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

bool ExistsIn(const fs::path& rootfs, const std::string& path) {
  std::error_code error;
  return fs::exists(rootfs / fs::path(path).relative_path(), error);
}

/// An argument with each absolute path in it (lists are separated by colons) below the root.
std::string BelowRoot(const fs::path& rootfs, const std::string& argument) {
  if (!argument.starts_with('/')) return argument;
  std::vector<std::string> parts = Split(argument, ':');
  for (std::string& part : parts) {
    if (part.starts_with('/') && ExistsIn(rootfs, part)) {
      part = (rootfs / fs::path(part).relative_path()).string();
    }
  }
  return Join(parts, ":");
}

/// Divides requests instead of answering them.
ProcessSpec RelayFor(const DeploySpec& spec, const CommandOptions& options) {
  ProcessSpec process;
  process.argv = {RelayProgram().string(), "--listen", fmt::format("fd:{}", options.listen_fd),
                  "--health-listen", fmt::format("fd:{}", options.health_fd)};
  for (const Upstream& upstream : spec.upstreams) {
    process.argv.emplace_back("--upstream");
    process.argv.push_back(UpstreamText(upstream));
  }
  process.environment = {fmt::format("{}={}", kMarkVariable, options.mark)};
  process.log = options.log;
  process.keep_fds = {options.listen_fd, options.health_fd};
  return process;
}

}  // namespace

Result<ProcessSpec> ImageCommand(const DeploySpec& spec) {
  if (spec.entrypoint.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("image {} has no entrypoint", spec.image_reference)};
  }
  const std::string& program = spec.entrypoint.front();
  if (!program.starts_with('/') || !ExistsIn(spec.rootfs, program)) {
    return CauseError("ProgramMissing",
                      fmt::format("image {} has no program {}", spec.image_reference, program));
  }
  ProcessSpec process;
  for (const std::string& argument : spec.entrypoint) {
    process.argv.push_back(BelowRoot(spec.rootfs, argument));
  }
  process.argv.insert(process.argv.end(), {"--root", spec.rootfs.string()});
  process.environment = spec.environment;
  if (!spec.working_folder.empty() && ExistsIn(spec.rootfs, spec.working_folder)) {
    process.folder = spec.rootfs / fs::path(spec.working_folder).relative_path();
  }
  return process;
}

Result<ProcessSpec> CommandFor(const DeploySpec& spec, const CommandOptions& options) {
  if (!spec.upstreams.empty()) return RelayFor(spec, options);
  ProcessSpec process = TRY(ImageCommand(spec));
  auto add = [&process](std::string_view option, std::string value) {
    process.argv.emplace_back(option);
    process.argv.push_back(std::move(value));
  };
  add("--listen", fmt::format("fd:{}", options.listen_fd));
  add("--health-listen", fmt::format("fd:{}", options.health_fd));
  if (spec.cpu_cores > 0) {
    add("--threads", fmt::format("{}", static_cast<std::int64_t>(std::ceil(spec.cpu_cores))));
  }
  process.environment.push_back(fmt::format("{}={}", kMarkVariable, options.mark));
  process.log = options.log;
  process.keep_fds = {options.listen_fd, options.health_fd};
  return process;
}

}  // namespace slipway::deployer
