// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace slipway::http {

/// Tells whether a peer moves a body too slowly. Counts only the time spent waiting for the peer,
/// so a slow handler is not held against it. Not thread-safe.
class RateGuard {
 public:
  RateGuard(std::int64_t bytes_per_second_min, std::chrono::milliseconds patience)
      : bytes_per_second_min_(bytes_per_second_min), patience_(patience) {}

  void Add(std::chrono::nanoseconds waited, std::int64_t bytes) {
    waited_ += waited;
    bytes_ += bytes;
  }
  bool TooSlow() const {
    if (waited_ <= patience_) return false;
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(waited_).count();
    return bytes_ / (millis / 1000 + 1) < bytes_per_second_min_;
  }

 private:
  std::int64_t bytes_per_second_min_;
  std::chrono::nanoseconds patience_;
  std::chrono::nanoseconds waited_{0};
  std::int64_t bytes_ = 0;
};

}  // namespace slipway::http
