// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway::bench {

/// One figure. `target` is the most it may be, 0 for none.
struct Figure {
  std::string name, unit;
  double value = 0;
  double target = 0;
  bool Met() const { return target <= 0 || value <= target; }
};

/// `p` in [0, 1] of the values, nearest rank; they must not be empty.
double Percentile(std::vector<double> values, double p);

/// A table for people, with each target beside its figure.
std::string Table(const std::vector<Figure>& figures);

/// The figures as JSON, with the machine and the time they were taken.
Result<void> WriteReport(const std::filesystem::path& file, const std::vector<Figure>& figures);

}  // namespace slipway::bench
