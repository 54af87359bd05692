// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "imagebuilder/file_state.h"

namespace slipway::workspace {

/// The digest of a program that may be replaced while we run; read again when the file changed.
/// Waits for nobody, so that it can be asked in a transaction. Thread-safe.
class ProgramDigest {
 public:
  explicit ProgramDigest(std::filesystem::path file) : file_(std::move(file)) {}
  /// `sha256:…`; kNotFound and what else reading it gives.
  Result<std::string> Now();

 private:
  const std::filesystem::path file_;
  std::mutex mutex_;                              // guards what follows
  std::optional<imagebuilder::FileState> state_;  // that digest_ holds for
  std::string digest_;
};

}  // namespace slipway::workspace
