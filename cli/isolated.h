// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "base/result.h"

namespace slipway::cli {

struct IsolatedOptions {
  int jobs = 1;  ///< at the same time
  std::chrono::milliseconds timeout{600'000};
};

/// Runs `work(i)` for i in [0, count), each in a process of its own, and hands its text to
/// `done(i, text)` in order of i. A piece that crashes, is killed or takes too long gives an
/// Error instead: kInternal with id `Process.Crashed`, naming the signal, or kDeadlineExceeded.
/// The caller must have no threads when it calls this.
Result<void> RunIsolated(std::size_t count, const IsolatedOptions& options,
                         const std::function<std::string(std::size_t)>& work,
                         const std::function<Result<void>(std::size_t, Result<std::string>)>& done);

}  // namespace slipway::cli
