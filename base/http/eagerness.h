// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace slipway::http {

/// Whether a thread that has answered a request had better look for the next one for some
/// microseconds than sleep: to wake it takes as long. It had where requests have been following
/// each other that closely, nobody else wants the core, and looking has not been in vain lately.
/// Not thread-safe.
class Eagerness {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  /// What a request may let wait for itself: where it comes after waking, and how long a look is.
  static constexpr Duration kClose = std::chrono::microseconds(100);
  /// What one look takes at most where nothing else runs on the core.
  static constexpr Duration kUndisturbed = std::chrono::microseconds(25);
  /// Requests in a row that follow each other closely, before looking is tried: at first, and
  /// after it was in vain again and again.
  static constexpr int kFewest = 8;
  static constexpr int kMost = 4096;

  /// A request is being answered, and has been.
  void Begin(Time now) {
    in_a_row_ = now - ended_ <= kClose ? std::min(in_a_row_ + 1, kMost) : 0;
    if (looked_) wanted_ = std::max(kFewest, wanted_ / 2);
    looked_ = false;
  }
  void End(Time now) { ended_ = now; }

  bool wants() const { return in_a_row_ >= wanted_; }
  /// A look at `now`, the last one or the end of an answer having been at `before`, has found
  /// nothing: whether to look on.
  bool LookOn(Time before, Time now) {
    looked_ = true;
    if (now - before <= kUndisturbed && now - ended_ <= kClose) return wants();
    in_a_row_ = 0;
    wanted_ = now - before > kUndisturbed ? kMost : std::min(2 * wanted_, kMost);
    looked_ = false;
    return false;
  }

 private:
  Time ended_ = {};
  int in_a_row_ = 0;
  int wanted_ = kFewest;
  bool looked_ = false;
};

}  // namespace slipway::http
