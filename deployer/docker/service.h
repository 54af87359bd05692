// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "deployer/deployer.h"
#include "deployer/docker/engine.h"
#include "deployer/docker/record.h"
#include "deployer/process/probe.h"
#include "deployer/service_set.h"

namespace slipway::deployer {

struct DockerPaths {
  std::filesystem::path record, log, relay_log;
};

struct DockerTimes {
  std::chrono::milliseconds startup{120'000};     ///< after that, silence is not being young
  std::chrono::milliseconds takeover{1'800'000};  ///< a revision that is not ready then is dropped
  std::chrono::milliseconds drain{600'000};       ///< for the last requests of an old revision
  std::chrono::seconds stop{30};
};

/// One service of target `docker`: a container, the one that is to follow it, and the relay that
/// holds the port. Thread-safe.
class DockerService final : public RunningService {
 public:
  struct Config {
    DockerPaths paths;
    std::string state;           ///< id of the state folder
    std::string default_engine;  ///< where the deployment names none
    http::Client& probes;
    DockerTimes times = {};
  };
  DockerService(Config config, DockerRecord record);

  Result<void> Apply(const DeploySpec& spec) override;
  Result<Observed> Observe() override;
  Result<std::string> Logs(std::int64_t lines) override;
  Result<void> Remove() override;
  Result<void> Suspend() override;
  Result<void> Resume() override;
  /// A revision that becomes ready, an old one that has answered its last request, a relay that
  /// died. Does nothing while something else is under way.
  void Tend() override;
  bool removed() override;

 private:
  using Steady = std::chrono::steady_clock;
  struct Watch {
    Steady::time_point started = Steady::now();
  };

  Result<void> Save();
  Result<DockerEngine*> Engine();
  Result<std::string> LoadImage(DockerEngine& engine, const DeploySpec& spec);
  Result<void> BringImage(DockerEngine& engine, const DeploySpec& spec);
  Result<void> StartCandidate(DockerEngine& engine, const DeploySpec& spec);
  Result<void> EnsureRelay(const std::vector<Upstream>& upstreams);
  Result<void> ApplyFront(const DeploySpec& spec);
  Result<void> DropCandidate(DockerEngine& engine);
  Result<void> TakeOver(DockerEngine& engine);
  Result<void> FailCandidate(DockerEngine& engine, DockerTrouble trouble);
  Result<void> AdvanceCandidate(DockerEngine& engine);
  Result<void> StopDrained(DockerEngine& engine);
  DockerTrouble TroubleOf(DockerEngine& engine, const std::string& container,
                          const ContainerState& state);
  Result<Observed> JudgeCurrent(DockerEngine& engine);
  std::vector<Upstream> UpstreamsNow() const;

  const Config config_;
  std::mutex mutex_;  // guards what follows
  DockerRecord record_;
  std::unique_ptr<DockerEngine> engine_;
  std::string engine_host_;  ///< that engine_ is of
  Steady::time_point current_started_ = Steady::now(), candidate_started_ = Steady::now();
  Steady::time_point drain_started_ = Steady::now();
  bool seen_ready_ = false;
  bool relay_in_step_ = false;  ///< it has been told what the record says
  std::string waiting_for_;     ///< what the candidate said last
};

}  // namespace slipway::deployer
