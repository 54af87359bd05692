// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// Divides requests between upstreams in proportion to their weights, as evenly in time as that
/// goes: of as many requests as the weights add up to, each upstream gets exactly its weight. Not
/// thread-safe. Source: nginx, smooth weighted round-robin.
class Balance {
 public:
  Balance() = default;
  explicit Balance(const std::vector<Upstream>& upstreams);
  /// Empty if there is no upstream.
  std::string Next();
  bool Has(std::string_view url) const;

 private:
  struct Turn {
    Upstream upstream;
    std::int64_t credit = 0;
  };
  std::vector<Turn> turns_;
  std::int64_t total_ = 0;
};

/// `http://HOST:PORT` or `http://HOST:PORT=WEIGHT`; kInvalidArgument for a weight that is no number
/// from 1 to 1000000.
Result<Upstream> ParseUpstream(std::string_view text);
std::string UpstreamText(const Upstream& upstream);

Json ToJson(const std::vector<Upstream>& upstreams);
/// kInvalidArgument naming what is wrong; at least one is needed.
Result<std::vector<Upstream>> UpstreamsFromJson(const Json& json);

}  // namespace slipway::deployer
