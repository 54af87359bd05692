// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/inference.h"

namespace slipway::runtime {

bool IsInferenceNormalization(const NodeData& node) {
  if (!node.domain.empty() || node.type != "BatchNormalization") return false;
  if (node.opset < 7 && node.attributes.Int("is_test", 0) == 0) return false;
  if (node.opset < 9 && node.attributes.Int("spatial", 1) == 0) return false;
  if (node.attributes.Int("training_mode", 0) != 0) return false;
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return false;
  }
  return true;
}

}  // namespace slipway::runtime
