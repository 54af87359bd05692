// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/value.h"

namespace slipway::test {

/// Infers and runs the problem of a line as `.cases` files have them (see op_case.h), by the
/// reference kernel: its outputs, or the first error.
Result<std::vector<runtime::Value>> RunOpLine(std::string_view line);
/// The same with the first inputs of the line replaced, for elements that a line cannot write, and
/// by the kernel of that name, if one is given.
Result<std::vector<runtime::Value>> RunOpLine(std::string_view line,
                                              std::vector<runtime::Tensor> inputs,
                                              std::string_view kernel = {});

}  // namespace slipway::test
