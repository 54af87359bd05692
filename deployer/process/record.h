// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/process.h"
#include "base/result.h"
#include "deployer/deployer.h"
#include "deployer/record.h"

namespace slipway::deployer {

/// A process of a service, as the record remembers it.
struct InstanceRecord {
  DeploySpec spec;
  ProcessId id;         ///< pid 0: being started, or to be started
  std::string token;    ///< in the process's environment, so that it can be found without a pid
  int listen_fd = -1;   ///< number of the public socket inside the process
  int health_port = 0;  ///< on 127.0.0.1
};

/// What `run/services/<workspace>.<service>.json` holds: enough to find, judge and start the
/// service's processes again.
struct ServiceRecord {
  ServiceKey key;
  std::string host;
  int port = 0;
  bool suspended = false;
  bool removed = false;  ///< its removal has begun and is to be finished
  std::int64_t restarts = 0;
  std::optional<InstanceRecord> current;    ///< answers
  std::optional<InstanceRecord> candidate;  ///< takes over once it is ready
};

std::string RecordText(const ServiceRecord& record);
/// kDataLoss (id `Service.RecordDamaged`).
Result<ServiceRecord> ParseRecord(std::string_view text);

/// Whether both would run the same in every respect.
bool SameSpec(const DeploySpec& a, const DeploySpec& b);

}  // namespace slipway::deployer
