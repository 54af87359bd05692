// SPDX-License-Identifier: Apache-2.0
#include "deployer/deployer.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "deployer/causes.h"

namespace slipway::deployer {
namespace {

class AllTargets final : public Targets {
 public:
  explicit AllTargets(DriverContext context) : context_(std::move(context)) {}

  Result<Driver*> Find(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = drivers_.find(name); found != drivers_.end()) {
      return found->second.get();
    }
    std::string known;
    for (const auto& unit : targets_table()) {
      const Target target = unit.make();
      if (target.name == name) {
        auto driver = TRY(target.open(context_));
        return drivers_.emplace(std::string(name), std::move(driver)).first->second.get();
      }
      known += fmt::format("{}{}", known.empty() ? "" : ", ", target.name);
    }
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("unknown target '{}', known: {}", name, known),
                 .id = "Target.Unknown"};
  }

 private:
  const DriverContext context_;
  std::mutex mutex_;  // guards drivers_
  std::map<std::string, std::unique_ptr<Driver>, std::less<>> drivers_;
};

std::string LogPart(const Observed& observed) {
  return observed.log_line.empty() ? "" : fmt::format(" (log: {})", observed.log_line);
}

Error FailedError(const ServiceKey& key, const Observed& observed) {
  return CauseError(observed.cause, fmt::format("service {}: {}{}", key.service, observed.detail,
                                                LogPart(observed)));
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kPending:
      return "Pending";
    case Phase::kHealthy:
      return "Healthy";
    case Phase::kUnhealthy:
      return "Unhealthy";
    case Phase::kFailed:
      return "Failed";
    case Phase::kStopped:
      return "Stopped";
  }
  return "";
}

bool RunsUnpacked(std::string_view target) {
  for (const auto& unit : targets_table()) {
    const Target row = unit.make();
    if (row.name == target) return row.runs_unpacked;
  }
  return false;
}

Result<void> CheckSplits(std::string_view target) {
  for (const auto& unit : targets_table()) {
    const Target row = unit.make();
    if (row.name != target || row.no_split.empty()) continue;
    return Error{.code = Code::kUnimplemented,
                 .message = fmt::format("target {} does not divide requests between revisions: {}",
                                        target, row.no_split),
                 .id = "Service.NoSplit",
                 .fix = "use target process or docker, or roll the service to one revision"};
  }
  return {};
}

std::unique_ptr<Targets> Targets::Make(DriverContext context) {
  return std::make_unique<AllTargets>(std::move(context));
}

Result<Observed> WaitReady(Driver& driver, const ServiceKey& key, Clock& clock,
                           const WaitOptions& options) {
  constexpr std::chrono::milliseconds kFirstPause{5}, kLongestPause{250};
  const auto deadline = clock.Steady() + options.timeout;
  auto pause = kFirstPause;
  while (true) {
    Observed observed = TRY(driver.Observe(key));
    if (observed.phase == Phase::kHealthy) return observed;
    if (observed.phase == Phase::kFailed) return FailedError(key, observed);
    if (observed.phase == Phase::kStopped) {
      return CauseError("Exited", fmt::format("service {} is stopped", key.service));
    }
    if (options.cancelled && options.cancelled()) {
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format("waiting for service {} was cancelled", key.service),
                   .id = "Service.Cancelled"};
    }
    if (clock.Steady() >= deadline) {
      Error late =
          CauseError(observed.cause.empty() ? "NotReady" : observed.cause,
                     fmt::format("service {} is not ready after {} ms: {}{}", key.service,
                                 options.timeout.count(), observed.detail, LogPart(observed)));
      late.code = Code::kDeadlineExceeded;
      return late;
    }
    driver.AwaitChange(key, pause, clock);
    pause = std::min(pause * 3 / 2 + std::chrono::milliseconds(1), kLongestPause);
  }
}

}  // namespace slipway::deployer
