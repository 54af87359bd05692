// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/http/client.h"

namespace slipway::deployer {

/// What a scoring server says of itself at /readyz.
struct ProbeResult {
  enum class State : std::uint8_t {
    kSilent,   ///< no answer
    kWaiting,  ///< it answers, and is not ready
    kReady,
    kWrong  ///< it will never be ready: its answers are not the expected ones
  };
  State state = State::kSilent;
  std::string detail;
};

/// A client for probes: short timeouts, no retries.
std::unique_ptr<http::Client> MakeProbeClient();
ProbeResult Probe(http::Client& client, int health_port);
/// `server`: `http://HOST:PORT`
ProbeResult Probe(http::Client& client, const std::string& server);

}  // namespace slipway::deployer
