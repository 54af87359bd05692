// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/http/client.h"
#include "base/process.h"
#include "base/result.h"

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
  std::string upstream;
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

/// New requests go to `upstream` from now on.
Result<void> SwitchRelay(http::Client& client, const RelayRecord& relay,
                         const std::string& upstream);
/// Requests that `upstream` has not answered yet.
Result<std::int64_t> RelayInFlight(http::Client& client, const RelayRecord& relay,
                                   const std::string& upstream);

}  // namespace slipway::deployer
