// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/tuning.h"

namespace slipway::runtime {

struct BenchOptions {
  SessionOptions session = {};
  TuneOptions tune = {};
  std::int64_t batch = 1;  ///< value of dimensions not fixed by the model that come first
  double seconds = 2;      ///< time to measure, after a warm-up
  int clients = 1;         ///< threads that call Run at the same time
};

struct BenchReport {
  double median_ms = 0, p99_ms = 0, min_ms = 0, mean_ms = 0;
  double create_ms = 0;  ///< load, session and the first run's planning
  double runs_per_s = 0;
  std::int64_t runs = 0;
  double peak_rss_mb = 0;
  std::int64_t flops = -1;  ///< of one run; -1: not known
  double gflop_per_s = 0;
  double peak_gflop_per_s = 0;       ///< what a matrix product reached on these threads
  std::string bound;                 ///< `compute`, `memory` or `overhead`: what limits it
  std::string warning;               ///< TunedSession::warning
  std::vector<NodeProfile> profile;  ///< where options.session.profile is set
};

/// Measures a model on inputs of zeros. Errors as Model::Load and Session::Run.
Result<BenchReport> BenchModel(const std::filesystem::path& path, const BenchOptions& options = {});

}  // namespace slipway::runtime
