// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/op.h"

namespace slipway::test {

/// One problem of a `.cases` file: an operator, its attributes and its inputs.
///
///     Conv opset=11 pads=1,1,1,1 x=f32[2,3,17,19] w=f32[8,3,3,3]  # why this one
///
/// A word `NAME=VALUE` is an attribute if the operator has one of that name, else an input, in
/// the order of the line: `f32[2,3]` random elements, `f32[2,3]:-1..1` within bounds,
/// `f32[2,3]:special` with NaN, infinities and zeros of both signs, `i64{1,2}` those elements,
/// `i64[2,1]{1,2}` in that shape, `none` left out. `outputs=2` names that many outputs.
struct OpCase {
  std::string text;  ///< the line
  int line = 0;
  runtime::NodeFacts node = {};  ///< inputs have no constants yet
  std::vector<runtime::Tensor> inputs = {};
};

/// Elements that depend on `seed` alone.
Result<OpCase> ParseOpCase(std::string_view line, std::uint32_t seed);

/// The cases of a file in its order. kInvalidArgument naming file and line.
Result<std::vector<OpCase>> ReadOpCases(const std::filesystem::path& file);

}  // namespace slipway::test
