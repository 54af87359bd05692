// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::runtime {

/// File of the shared library that holds what operators with `OpDef::library` need.
std::string LibraryFile(std::string_view library);

/// A function of such a library, which is loaded and stays. It is looked for beside the program
/// or library that this code is in, and in `lib` beside that folder. kNotFound (id
/// `Model.LibraryMissing`) with what the loader says.
Result<void*> LibraryFunction(std::string_view library, const char* function);

}  // namespace slipway::runtime
