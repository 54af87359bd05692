// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/graph/graph.h"

namespace slipway::runtime {

/// Whether a node is a BatchNormalization that takes its statistics as they are given, one of each
/// a channel, and makes output Y alone.
bool IsInferenceNormalization(const NodeData& node);

}  // namespace slipway::runtime
