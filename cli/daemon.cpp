// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon.h"

#include <fmt/format.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/http/client.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/text.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{10};
constexpr milliseconds kStopGrace{10'000};

bool IsReady(const LocalService& service) {
  http::ClientOptions options;
  options.retries = 0;
  options.total_timeout = milliseconds(2'000);
  Connection connection;
  UseAddress(connection, service.address);
  options.unix_socket = connection.unix_socket;
  const auto response =
      http::MakeClient(options)->Send({.target = connection.base_url + "/readyz"});
  return response && response->status == 200;
}

std::int64_t SizeOf(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

/// The error that a slipwayd which has ended wrote to its log since `offset`.
Error EndedEarly(const fs::path& log, std::int64_t offset, int status) {
  Error error{.code = Code::kInternal,
              .message = fmt::format("slipwayd ended with status {}", status),
              .id = "Service.NotStarted",
              .fix = "read " + log.string()};
  auto text = ReadFile(log, limits::kLogBytes);
  if (!text || std::cmp_greater(offset, text->size())) return error;
  for (const std::string& line : Split(text->substr(static_cast<std::size_t>(offset)), '\n')) {
    if (line.starts_with("slipwayd: ")) error.message = line.substr(10);
    if (line.starts_with("cause: ")) error.id = line.substr(7);
    if (line.starts_with("fix: ")) error.fix = line.substr(5);
  }
  if (error.id == "Port.InUse" || error.id.starts_with("State.")) {
    error.code = Code::kFailedPrecondition;
  }
  return error;
}

std::vector<std::string> EnvironmentList(const Environment& environment) {
  std::vector<std::string> list;
  for (const auto& [name, value] : environment) list.push_back(name + "=" + value);
  return list;
}

}  // namespace

Result<std::optional<LocalService>> RunningService(const fs::path& state) {
  auto local = TRY(ReadLocalService(state));
  if (local && !IsRunning(local->process)) local.reset();
  return local;
}

Result<fs::path> FindProgram(const Context& context, const char* variable,
                             const std::string& name) {
  const auto set = context.environment().find(std::string_view(variable));
  if (set != context.environment().end() && !set->second.empty()) return fs::path(set->second);
  const fs::path beside = ThisProgram().parent_path() / name;
  std::error_code ignored;
  if (fs::exists(beside, ignored)) return beside;
  return Error{.code = Code::kNotFound,
               .message = name + " is not beside slipway: " + beside.string(),
               .id = "Program.NotFound",
               .fix = std::string("say where it is with ") + variable};
}

Result<LocalService> StartService(Context& context, const fs::path& state,
                                  const StartOptions& options) {
  const fs::path program = TRY(FindProgram(context, "SLIPWAYD", "slipwayd"));
  const fs::path log = state / "logs" / "slipwayd.log";
  TRY(MakeFolders(log.parent_path()));
  const std::int64_t offset = SizeOf(log);
  const ProcessId process =
      TRY(Spawn({.argv = {program.string(), "--state", state.string(), "--listen",
                          fmt::format("127.0.0.1:{}", options.port)},
                 .environment = EnvironmentList(context.environment()),
                 .folder = "/",
                 .log = log}));
  const auto deadline = context.clock().Steady() +
                        milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000));
  while (context.clock().Steady() < deadline) {
    const auto running = RunningService(state);
    if (running && *running && IsReady(**running)) return **running;
    if (const auto status = WaitForExit(process, kPoll)) {
      const auto other = RunningService(state);
      if (other && *other && (*other)->process != process) continue;
      return EndedEarly(log, offset, *status);
    }
  }
  TRY(Terminate(process, kStopGrace));
  return Error{
      .code = Code::kDeadlineExceeded,
      .message = fmt::format("slipwayd was not ready within {} s", options.timeout_seconds),
      .id = "Service.NotReady",
      .fix = "read " + log.string()};
}

}  // namespace slipway::cli
