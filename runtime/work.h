// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace slipway::runtime {

/// Operations on numbers that so many threads do in some milliseconds. Follows from the kind of
/// processor, not from how fast it was: what is cut by it has the same results at every run.
double WorkAtOnce(int threads);

/// How many of `count` steps, each of `work` operations, are no more than `most` together, in parts
/// that are nearly equal; at least one.
std::int64_t StepsWithin(std::int64_t count, double work, double most);

}  // namespace slipway::runtime
