// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "workspace/operations.h"

namespace slipway::workspace {

/// What the workspace service counts about itself. Thread-safe.
class Metrics {
 public:
  struct RequestKind {
    std::string method, route;
    int status = 0;
    auto operator<=>(const RequestKind&) const = default;
  };
  void CountRequest(const RequestKind& kind, double seconds);
  /// Prometheus text format 0.0.4.
  std::string Text(const Operations::Counts& operations) const;

 private:
  struct Sum {
    std::int64_t count = 0;
    double seconds = 0;
  };
  mutable std::mutex mutex_;  // guards requests_
  std::map<RequestKind, Sum> requests_;
};

}  // namespace slipway::workspace
