// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace slipway::bench {

/// Where a workspace service is, and the header that lets one in.
struct Service {
  std::string address, authorization;
};

/// Follows the next operation that begins in the workspace `default`, on a thread of its own, and
/// notes when each of its phases begins. What cannot be followed has no phases.
class PhaseWatch {
 public:
  struct Phase {
    double at = 0;  ///< as `now` gave it
    std::string text;
  };
  PhaseWatch(Service service, std::function<double()> now);
  /// Waits until the operation has ended; where none has begun there is nothing to wait for.
  std::vector<Phase> Finish();

 private:
  void Follow(const std::stop_token& stop);

  const Service service_;
  const std::function<double()> now_;
  std::string before_;         // the newest operation there was
  std::vector<Phase> phases_;  // of the thread until it has ended
  std::jthread thread_;
};

}  // namespace slipway::bench
