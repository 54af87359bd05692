// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deployer/aci/group.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// A container group of a service. It is written down before it is made.
struct AciRevision {
  AciPlace place;
  std::string spec;       ///< AciSpecDigest
  std::string operation;  ///< URL under which its making can be followed; empty once that is done
  std::string retired;    ///< RFC 3339: when another took over
  std::int64_t revision = 0;
};

struct AciTrouble {
  std::string cause, detail, log_line;
};

/// What `run/aci/<workspace>.<service>.json` holds. No secrets.
struct AciRecord {
  ServiceKey key;
  bool removed = false;
  std::string endpoint = {};  ///< of the current revision
  std::optional<AciRevision> current = {}, candidate = {};
  std::vector<AciRevision> draining = {};
  std::optional<AciTrouble> refused = {};
};

std::string AciRecordText(const AciRecord& record);
/// kDataLoss (id `Service.RecordDamaged`).
Result<AciRecord> ParseAciRecord(std::string_view text);

}  // namespace slipway::deployer
