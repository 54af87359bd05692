// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/stored_bytes.h"
#include "runtime/tensor.h"

namespace slipway::runtime {

/// Files beside a model that hold its weights, mapped into memory once each. Nothing outside the
/// folder is ever opened. Not thread-safe.
class ExternalData {
 public:
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// `length` bytes at `offset` of the file `location`, as a tensor over the mapping.
  /// kInvalidArgument (id `Model.Invalid`) for a location outside the folder or bytes outside
  /// the file; kNotFound (id `Model.ExternalDataMissing`).
  Result<Tensor> Read(DType dtype, const Shape& shape, const std::string& location,
                      std::int64_t offset, std::int64_t length);

 private:
  Result<std::shared_ptr<StoredBytes>> Open(const std::string& location);

  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<StoredBytes>> files_;
};

}  // namespace slipway::runtime
