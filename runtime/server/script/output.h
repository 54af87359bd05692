// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "base/file.h"

namespace slipway::server {

/// Id before lines that belong to no request.
constexpr std::string_view kNoRequestId = "00000000-0000-0000-0000-000000000000";

/// Where lines go: whole ones, each with its line end. `is_error`: they came from stderr.
using LineSink = std::function<void(bool is_error, std::string_view lines)>;

/// To this program's own stdout and stderr.
LineSink StandardSink();

/// Passes on what a worker writes to its stdout and stderr, line by line, each after the id of the
/// request it belongs to and a comma. What comes faster than a bound is counted and left out, so
/// that a script that floods does not fill the log. Thread-safe.
class OutputRelay {
 public:
  /// `out` and `err` are pipes' ends that do not block.
  OutputRelay(UniqueFd out, UniqueFd err, LineSink sink);

  /// Reads and passes on what is there.
  void Pump();
  /// From here on lines belong to that request.
  void BeginRequest(std::string_view id);
  /// Passes on what was written until now; from here on lines belong to no request.
  void EndRequest();
  /// Descriptors to poll; -1 once the other end is closed.
  int out_fd() const;
  int err_fd() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Stream {
    UniqueFd fd;
    std::string partial;
    bool closed = false;
  };
  bool PumpSome(bool is_error);
  void Pass(bool is_error, std::string_view text);
  void FlushPartial(bool is_error);
  bool Afford(std::size_t bytes);
  void Emit(std::string_view line, std::string& lines);

  const LineSink sink_;
  mutable std::mutex mutex_;  // guards what follows
  std::array<Stream, 2> streams_;
  std::string id_{kNoRequestId};
  double budget_;
  Time budget_at_;
  std::int64_t dropped_lines_ = 0;
};

}  // namespace slipway::server
