// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/http/client.h"
#include "base/process.h"
#include "deployer/deployer.h"
#include "deployer/process/probe.h"
#include "deployer/process/record.h"
#include "deployer/process/restart_policy.h"
#include "deployer/service_set.h"

namespace slipway::deployer {

struct ServicePaths {
  std::filesystem::path record, log;
};

/// How long things may take.
struct ServiceTimes {
  std::chrono::milliseconds grace{15'000};      ///< from SIGTERM to SIGKILL
  std::chrono::milliseconds takeover{120'000};  ///< for a new revision to become ready
  std::chrono::milliseconds startup{60'000};    ///< a first start counts as pending that long
  std::int64_t log_bytes = 16 << 20;
};

/// A service of target `process`: its public socket, the process that answers on it, and while a
/// revision is replaced the one that is to. The supervisor owns the socket and every process
/// inherits it, so connections wait in its queue while nobody accepts them.
///
/// A thread of its own watches the processes, starts them again, lets a new revision take over
/// and keeps the log small. Destroying the object leaves the processes running. Thread-safe.
class ProcessService final : public RunningService {
 public:
  /// A service that has no process yet.
  static std::unique_ptr<ProcessService> New(ServiceKey key, ServicePaths paths,
                                             http::Client& probes, ServiceTimes times = {});
  /// One that an earlier program started; `marked` are the processes found that bear its mark.
  static std::unique_ptr<ProcessService> Adopt(
      ServiceRecord record, ServicePaths paths, http::Client& probes,
      const std::vector<std::pair<ProcessId, std::string>>& marked, ServiceTimes times = {});
  ~ProcessService() override;
  ProcessService(const ProcessService&) = delete;
  ProcessService& operator=(const ProcessService&) = delete;

  Result<void> Apply(const DeploySpec& spec) override;
  Result<Observed> Observe() override;
  Result<std::string> Logs(std::int64_t lines) override;
  Result<void> Suspend() override;
  Result<void> Resume() override;
  /// Stops every process and deletes record and logs.
  Result<void> Remove() override;
  bool removed() override;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Draining {
    ProcessId id;
    Time kill_at;
  };
  /// Why the service is not well.
  struct Trouble {
    std::string cause, detail, log_line;
  };

  ProcessService(ServiceKey key, ServicePaths paths, http::Client& probes, ServiceTimes times);
  void Watch();
  void Wake() const;

  // All of these are called with mutex_ held.
  Result<void> Save();
  std::string MarkOf(const InstanceRecord& instance) const;
  Result<void> OpenListener();
  Result<void> Launch(InstanceRecord& instance, int listen_fd);
  Result<void> StartFirst(const DeploySpec& spec);
  Result<void> StartCandidate(const DeploySpec& spec);
  void Drain(const ProcessId& id);
  void DropCandidate();
  Result<void> StopAll();
  void TakeOver();
  void AdoptCandidate();
  void FailCandidate(std::string cause, std::string detail);
  Trouble TroubleOf(int status) const;
  static Trouble TroubleOf(const Error& error);
  void CurrentEnded(Trouble trouble, std::optional<Time> started);
  void LookAfterCurrent(Time now);
  void LookAfterCandidate(Time now, const std::optional<ProbeResult>& probe);
  void LookAfterDraining(Time now);
  int PollTimeoutMs(Time now) const;
  bool Running(const std::optional<InstanceRecord>& instance) const;
  bool Looping() const;
  Observed Judge(const ProbeResult& probe);

  const ServicePaths paths_;
  const ServiceTimes times_;
  http::Client& probes_;
  UniqueFd wake_;
  std::mutex mutex_;  // guards what follows
  ServiceRecord record_;
  UniqueFd listener_, candidate_listener_;
  int candidate_port_ = 0;
  std::vector<Draining> draining_;
  RestartPolicy policy_;
  std::optional<Time> start_at_;  ///< when the current revision is to be started again
  Time current_started_{}, candidate_started_{};
  bool seen_ready_ = false;
  std::optional<Trouble> trouble_;  ///< of the current revision's last process
  std::optional<Trouble> refused_;  ///< of a revision that did not take over
  Time next_log_check_{};
  bool quit_ = false;
  std::thread thread_;
};

}  // namespace slipway::deployer
