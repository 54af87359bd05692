// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {

/// Whether and how long a command waits for its operation.
struct WaitOptions {
  bool no_wait = false;
  double timeout_seconds = 600;
};

/// Polls an operation until it has ended, each phase and log line to standard error; gives what
/// it made. An operation that failed is an Error with exit status 1 and its cause; one that goes
/// on longer than allowed is kDeadlineExceeded (id `Operation.TimedOut`) and is not cancelled.
Result<Json> Await(Context& context, Remote& remote, const Json& operation,
                   const WaitOptions& options);

/// The same for an operation whose object is gone at its end.
Result<void> AwaitEnd(Context& context, Remote& remote, const Json& operation,
                      const WaitOptions& options);

/// Await, and then the object; with `no_wait` the operation itself, at once.
Result<void> AwaitAndPrint(Context& context, Remote& remote, const Json& operation,
                           const WaitOptions& options, const Columns& rows);

}  // namespace slipway::cli
