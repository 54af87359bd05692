// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

using TimePoint = std::chrono::system_clock::time_point;

/// Where time comes from, so that tests can own it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() = 0;
  /// Monotonic, for durations and deadlines.
  virtual std::chrono::steady_clock::time_point Steady() = 0;
  virtual void Sleep(std::chrono::milliseconds duration) = 0;
};

/// The machine's clock; lives for the whole program.
Clock& SystemClock();

/// `2026-03-01T12:34:56.789Z` (RFC 3339, UTC, milliseconds).
std::string FormatTime(TimePoint time);
/// Reads what FormatTime writes; fraction optional.
Result<TimePoint> ParseTime(std::string_view text);

}  // namespace slipway
