// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace slipway::deployer {

/// When to start a program again that has ended: after 0.1 s, doubling up to 30 s; a run of a
/// minute counts as well again. Not thread-safe.
class RestartPolicy {
 public:
  using Duration = std::chrono::milliseconds;

  /// The program ended after it ran that long; gives the pause before the next start.
  Duration Exited(Duration ran);
  /// Whether it ended five times in a row soon after its start.
  bool looping() const { return quick_exits_ >= kLoopExits; }
  void Reset() { quick_exits_ = 0; }

 private:
  static constexpr Duration kFirst{100}, kLongest{30'000}, kWell{60'000};
  static constexpr int kLoopExits = 5;
  int quick_exits_ = 0;
};

}  // namespace slipway::deployer
