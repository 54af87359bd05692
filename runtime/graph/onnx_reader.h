// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"
#include "runtime/graph/graph.h"

namespace slipway::runtime {

struct ReaderOptions {
  /// Nodes of unknown operators are kept, with no definition: for reports.
  bool allow_unsupported = false;
  /// External data is looked for here; empty: refused.
  std::filesystem::path folder = {};
  ModelLimits limits = {};
};

/// Parses and validates a serialised ModelProto. Weights stay in `bytes`, which `owner` keeps
/// alive and which this may write to. Errors as Model::Load.
Result<std::shared_ptr<const GraphData>> ReadOnnx(std::shared_ptr<void> owner,
                                                  std::span<std::byte> bytes,
                                                  const ReaderOptions& options);

/// Reads a file into memory, and ReadOnnx on it with the file's folder. Weights that no session
/// keeps once one has kept them are let go of, and read again for the next (StoredBytes).
Result<std::shared_ptr<const GraphData>> ReadOnnxFile(const std::filesystem::path& path,
                                                      ReaderOptions options);

}  // namespace slipway::runtime
