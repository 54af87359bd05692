// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "deployer/aci/client.h"
#include "deployer/aci/record.h"
#include "deployer/deployer.h"
#include "deployer/service_set.h"

namespace slipway::deployer {

struct AciTimes {
  std::chrono::milliseconds look{1'000};      ///< between two questions to Azure about one service
  std::chrono::milliseconds drain{60'000};    ///< an old group lives on, for clients' DNS caches
  std::chrono::milliseconds remove{600'000};  ///< for a group to be gone
};

/// One service of target `aci`: a container group, and the one that is to follow it. Thread-safe.
class AciService final : public RunningService {
 public:
  struct Config {
    std::filesystem::path record, log;
    std::string state;  ///< id of the state folder
    AciClient& client;
    http::Client& probes;
    Clock& clock;
    AciTimes times = {};
  };
  AciService(Config config, AciRecord record);

  Result<void> Apply(const DeploySpec& spec) override;
  Result<Observed> Observe() override;
  Result<std::string> Logs(std::int64_t lines) override;
  Result<void> Remove() override;
  /// Deletes groups that another has taken over from long enough ago.
  void Tend() override;
  bool removed() override;

 private:
  using Steady = std::chrono::steady_clock;
  Result<void> Save();
  Result<AciPlace> PlaceOf(const DeploySpec& spec) const;
  Result<void> Put(const DeploySpec& spec);
  Result<AciState> Look(AciRevision& revision);
  Result<void> Delete(const AciPlace& place, bool wait);
  Result<std::string> LogsOf(const AciPlace& place, std::int64_t lines);
  Result<void> FailCandidate(AciTrouble trouble);
  Result<void> TakeOver(const AciState& state);
  Result<Observed> Judge();
  Result<Observed> JudgeCandidate();
  Result<Observed> JudgeCurrent();

  const Config config_;
  std::mutex mutex_;  // guards what follows
  AciRecord record_;
  Observed seen_;
  Steady::time_point look_again_{};
};

}  // namespace slipway::deployer
