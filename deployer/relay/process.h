// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/http/client.h"
#include "base/process.h"
#include "base/result.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// A running `slipway-relay`, enough to find it again.
struct RelayRecord {
  ProcessId id = {};
  int control_port = 0;
  std::string token = {};
};

struct RelayPlan {
  std::string host;
  int port = 0;  ///< 0: any free one
  std::vector<Upstream> upstreams;
  std::filesystem::path log;
  std::string mark;  ///< value of kMarkVariable
};
struct StartedRelay {
  RelayRecord record;
  int port = 0;
};
/// Starts the program beside this one with the public socket bound. kFailedPrecondition (id
/// `Service.PortInUse`), `Service.RelayFailed`.
Result<StartedRelay> StartRelay(const RelayPlan& plan);

/// New requests go to these from now on, each as often as its weight says.
Result<void> SwitchRelay(http::Client& client, const RelayRecord& relay,
                         const std::vector<Upstream>& upstreams);
/// Requests that `upstream` has not answered yet.
Result<std::int64_t> RelayInFlight(http::Client& client, const RelayRecord& relay,
                                   const std::string& upstream);
/// Requests under way at upstreams that get no new ones.
Result<std::int64_t> RelayDraining(http::Client& client, const RelayRecord& relay);

/// The program, beside this one.
std::filesystem::path RelayProgram();

}  // namespace slipway::deployer
