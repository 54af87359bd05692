// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/sampling.h"

#include <algorithm>
#include <cmath>

namespace slipway::runtime {

void AddTap(WeightedTaps& taps, std::int64_t index, double weight) {
  const auto same = std::ranges::find(taps, index, &WeightedTap::index);
  if (same != taps.end()) {
    same->weight += weight;
  } else {
    taps.push_back({index, weight});
  }
}

void LinearTaps(double position, std::int64_t dim, WeightedTaps& taps) {
  taps.clear();
  if (!(position > -1 && position < static_cast<double>(dim))) return;
  const double floor = std::floor(position);
  const auto low = static_cast<std::int64_t>(floor);
  const double rest = position - floor;
  if (low >= 0 && rest < 1) taps.push_back({low, 1 - rest});
  if (low + 1 < dim && rest > 0) taps.push_back({low + 1, rest});
}

void CombineTaps(const std::vector<WeightedTaps>& axes, const Shape& dims, WeightedTaps& taps) {
  taps.assign(1, {0, 1});
  for (std::size_t d = 0; d < axes.size(); ++d) {
    WeightedTaps finer;
    finer.reserve(taps.size() * axes[d].size());
    for (const WeightedTap& tap : taps) {
      for (const WeightedTap& step : axes[d]) {
        finer.push_back({tap.index * dims[d] + step.index, tap.weight * step.weight});
      }
    }
    taps = std::move(finer);
  }
}

}  // namespace slipway::runtime
