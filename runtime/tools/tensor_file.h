// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

/// Reads a value from a file by its extension: `.pb` (TensorProto, SequenceProto or
/// OptionalProto, as `type` says), `.npy`, `.json`. kNotFound; kInvalidArgument (id
/// `Tensor.Invalid`) naming file and cause; an unknown extension is named with the known ones.
Result<Value> ReadTensorFile(const std::filesystem::path& path, const TypeInfo& type);

/// Writes a tensor by the path's extension, `.pb`, `.npy` or `.json`; whole or not at all.
Result<void> WriteTensorFile(const std::filesystem::path& path, std::string_view name,
                             const Value& value);

/// NumPy's format, versions 1 to 3, little or big endian, C or Fortran order; no objects.
/// Source: numpy.lib.format.
Result<Tensor> ReadNpy(std::span<const std::byte> bytes);
/// kUnimplemented for element types NumPy does not have.
Result<std::string> WriteNpy(const Tensor& tensor);

/// Nested arrays, one number, string or bool, or `{"dims": [...], "data": [...]}`; elements of
/// the declared type. NaN and infinities are the strings `NaN`, `Infinity`, `-Infinity`.
/// Sequences are arrays of values, maps are objects.
Result<Value> ValueFromJson(const Json& json, const TypeInfo& type);
/// The inverse: nested arrays for tensors, arrays for sequences, objects for maps.
Result<Json> ValueToJson(const Value& value);

}  // namespace slipway::runtime
