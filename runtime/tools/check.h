// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

/// What `slipway model check` tells of a model.
struct ModelReport {
  ModelInfo info;
  std::vector<ValueInfo> inputs = {}, overridable_initializers = {}, outputs = {};
  std::int64_t file_bytes = 0;
  std::int64_t peak_bytes = -1;  ///< parameters, working memory and outputs; -1: not known
  std::int64_t flops = -1;       ///< of one run; -1: not known
  std::string peak_note = {};    ///< the dimensions assumed, or why peak_bytes is not known
  /// `Domain.Type (opset N), node 'x'`: what no device of this build can run.
  std::vector<std::string> unsupported = {};
};

/// Parses and validates a model file. Unsupported operators are reported, not errors; free
/// dimensions are taken as `dimension`. Errors as Model::Load.
Result<ModelReport> CheckModel(const std::filesystem::path& path, std::int64_t dimension = 1);

}  // namespace slipway::runtime
