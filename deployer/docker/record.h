// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deployer/deployer.h"
#include "deployer/relay/process.h"

namespace slipway::deployer {

/// A container of a service. It is written down before it is made, so that none is forgotten.
struct DockerRevision {
  std::string container;  ///< its name
  std::string image;      ///< `slipway/digits:ab12…`
  std::string spec;       ///< SpecDigest of what it runs
  std::string upstream;   ///< `http://127.0.0.1:21063`
  std::int64_t revision = 0;
};

/// What requests are divided between, where no container of the service's own answers.
struct DockerFront {
  std::vector<Upstream> upstreams;
  std::int64_t revision = 0;
};

/// Why a revision did not take over.
struct DockerTrouble {
  std::string cause, detail, log_line;
};

/// What `run/docker/<workspace>.<service>.json` holds.
struct DockerRecord {
  ServiceKey key;
  std::string engine = {};  ///< `unix:///var/run/docker.sock`
  std::string host = {};    ///< of the public port
  int port = 0;
  bool suspended = false, removed = false;
  std::optional<DockerRevision> current = {};    ///< answers
  std::optional<DockerRevision> candidate = {};  ///< takes over once it is ready
  std::optional<DockerFront> front = {};         ///< instead of `current`
  std::vector<DockerRevision> draining = {};  ///< to be stopped once their last request is answered
  RelayRecord relay = {};
  std::optional<DockerTrouble> refused = {};
};

std::string DockerRecordText(const DockerRecord& record);
/// kDataLoss (id `Service.RecordDamaged`).
Result<DockerRecord> ParseDockerRecord(std::string_view text);

}  // namespace slipway::deployer
