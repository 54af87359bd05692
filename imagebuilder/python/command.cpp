// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::streamoff kOutputBytes = 4 << 20;
constexpr milliseconds kPoll{50};
constexpr milliseconds kGrace{2000};

std::string ReadEnd(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = in.tellg();
  if (size <= 0) return {};
  in.seekg(std::max<std::streamoff>(0, size - kOutputBytes));
  std::string text(static_cast<std::size_t>(std::min(size, kOutputBytes)), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return text;
}

}  // namespace

Result<CommandOutcome> RunCommand(const CommandSpec& spec, const WorkHooks& hooks) {
  const fs::path log = spec.scratch / fmt::format("output-{}", RandomHex(6));
  const ProcessId process = TRY(Spawn(
      {.argv = spec.argv, .environment = spec.environment, .folder = spec.scratch, .log = log}));
  const auto until = steady_clock::now() + spec.timeout;
  std::optional<int> status;
  std::optional<Error> stopped;
  while (!(status = WaitForExit(process, kPoll))) {
    if (hooks.IsCancelled()) stopped = Cancelled();
    if (steady_clock::now() > until) {
      stopped = Error{
          .code = Code::kDeadlineExceeded,
          .message = fmt::format("{} took more than {} s", spec.argv.front(), spec.timeout.count()),
          .id = "Image.TimedOut"};
    }
    if (!stopped) continue;
    TRY(Terminate(process, kGrace));
    break;
  }
  CommandOutcome outcome{.status = status.value_or(-1), .output = ReadEnd(log)};
  std::error_code ignored;
  fs::remove(log, ignored);
  if (stopped) return *std::move(stopped);
  return outcome;
}

std::vector<std::string> FetchEnvironment(const std::vector<std::string>& environment) {
  constexpr std::array<std::string_view, 15> kNames = {
      "HOME=",     "http_proxy=",    "https_proxy=",        "HTTP_PROXY=",      "HTTPS_PROXY=",
      "no_proxy=", "NO_PROXY=",      "all_proxy=",          "ALL_PROXY=",       "PIP_",
      "NETRC=",    "SSL_CERT_FILE=", "REQUESTS_CA_BUNDLE=", "XDG_CONFIG_HOME=", "XDG_CONFIG_DIRS="};
  constexpr std::array<std::string_view, 8> kNever = {
      "PIP_TARGET=",      "PIP_PREFIX=",     "PIP_ROOT=",      "PIP_USER=",
      "PIP_REQUIREMENT=", "PIP_CONSTRAINT=", "PIP_CACHE_DIR=", "PIP_NO_BINARY="};
  const auto begins = [](const auto& names, const std::string& variable) {
    return std::ranges::any_of(names,
                               [&](std::string_view name) { return variable.starts_with(name); });
  };
  std::vector<std::string> kept;
  for (const std::string& variable : environment) {
    if (begins(kNames, variable) && !begins(kNever, variable)) kept.push_back(variable);
  }
  return kept;
}

}  // namespace slipway::imagebuilder
