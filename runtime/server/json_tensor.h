// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/server/json_reader.h"
#include "runtime/value.h"

namespace slipway::server {

/// Tensors as JSON arrays.
///
/// Numbers are read straight into the element type. Floating-point elements are also read from
/// the strings `"NaN"`, `"Infinity"`, `"-Infinity"` (the proto3 JSON mapping), and are written
/// that way; all other elements are written in the shortest form that reads back to the same
/// bits. Strings that are not UTF-8 are written with U+FFFD.

/// Whether elements of that type have a JSON form.
bool HasJsonForm(runtime::DType dtype);

/// Reads a nested array (or a single value, a scalar); its nesting gives the shape. Errors say
/// where the nesting is uneven and which element does not fit the type.
Result<runtime::Tensor> ReadNested(JsonReader& reader, runtime::DType dtype);

/// Reads a nested or flat array of as many elements as `shape` has.
Result<runtime::Tensor> ReadShaped(JsonReader& reader, runtime::DType dtype,
                                   const runtime::Shape& shape);

/// `[[1.0,2.0],[3.0,4.0]]`. kUnimplemented for a type without JSON form.
Result<void> AppendNested(const runtime::Tensor& tensor, std::string& out);
/// `[1.0,2.0,3.0,4.0]`
Result<void> AppendFlat(const runtime::Tensor& tensor, std::string& out);
/// Any value: tensors nested, sequences as arrays, maps as objects, none as null.
Result<void> AppendValue(const runtime::Value& value, std::string& out);

void AppendJsonString(std::string_view text, std::string& out);

}  // namespace slipway::server
