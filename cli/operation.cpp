// SPDX-License-Identifier: Apache-2.0
#include "cli/operation.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "workspace/api.h"

namespace slipway::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPollMin{5};
constexpr milliseconds kPollMax{250};

/// How long to wait before asking again: a small part of the time it has taken so far, so that the
/// end is seen soon after it whatever it takes.
milliseconds PauseAfter(std::chrono::steady_clock::duration waited) {
  return std::clamp(std::chrono::duration_cast<milliseconds>(waited) / 16, kPollMin, kPollMax);
}

/// Shows what is new of an operation.
class Reporter {
 public:
  explicit Reporter(Context& context) : context_(context) {}

  void Show(const api::Operation& operation) {
    for (; lines_ < operation.log.size(); ++lines_) {
      context_.Progress("  " + operation.log[lines_]);
      last_ = operation.log[lines_];
    }
    if (operation.phase.empty() || operation.phase == phase_) return;
    phase_ = operation.phase;
    if (phase_ != last_) context_.Progress("  " + phase_);
  }

 private:
  Context& context_;
  std::size_t lines_ = 0;
  std::string phase_, last_;
};

Error Failed(const api::Operation& operation) {
  return Error{
      .code = Code::kInternal,
      .message = operation.error.empty() ? operation.kind + " " + ToLower(operation.state)
                                         : operation.error,
      .id = operation.error_code.empty() ? "Operation." + operation.state : operation.error_code,
      .fix = operation.fix,
      .cause = operation.error_cause};
}

Result<api::Operation> ReadOperation(const Json& json) {
  api::Operation operation;
  TRY(api::FromJson(json, operation));
  return operation;
}

Result<api::Operation> Follow(Context& context, Remote& remote, const Json& started,
                              const WaitOptions& options) {
  api::Operation operation = TRY(ReadOperation(started));
  const std::string path = "/api/v1/operations/" + EncodePercent(operation.id);
  const auto began = context.clock().Steady();
  const auto deadline =
      began + milliseconds(static_cast<std::int64_t>(options.timeout_seconds * 1000));
  Reporter reporter(context);
  while (true) {
    reporter.Show(operation);
    if (operation.state != "NotStarted" && operation.state != "Running") break;
    if (context.clock().Steady() >= deadline) {
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("{} has not ended after {} s, it goes on: {}",
                                          operation.kind, options.timeout_seconds, operation.phase),
                   .id = "Operation.TimedOut",
                   .fix = "wait longer with --timeout SECONDS"};
    }
    context.clock().Sleep(PauseAfter(context.clock().Steady() - began));
    const Json now = TRY(remote.Get(path));
    operation = TRY(ReadOperation(now));
  }
  if (operation.state != "Succeeded") return Failed(operation);
  return operation;
}

}  // namespace

Result<void> AwaitEnd(Context& context, Remote& remote, const Json& operation,
                      const WaitOptions& options) {
  TRY(Follow(context, remote, operation, options));
  return {};
}

Result<Json> Await(Context& context, Remote& remote, const Json& started,
                   const WaitOptions& options) {
  const api::Operation operation = TRY(Follow(context, remote, started, options));
  if (operation.resource.empty()) return Json();
  return operation.resource.starts_with("/api/") ? remote.Get(operation.resource)
                                                 : remote.Get("/api/v1" + operation.resource);
}

Result<void> AwaitAndPrint(Context& context, Remote& remote, const Json& operation,
                           const WaitOptions& options, const Columns& rows) {
  if (options.no_wait) {
    return context.PrintObject(
        operation,
        {{"operation", "id"}, {"kind", "kind"}, {"state", "state"}, {"makes", "resource"}});
  }
  const Json made = TRY(Await(context, remote, operation, options));
  return context.PrintObject(made, rows);
}

}  // namespace slipway::cli
