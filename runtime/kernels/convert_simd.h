// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/runtime.h"

/// Conversions between types of elements that processors do, with the vectors this machine has.
/// Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Converts numbers from the first on, block by block, as long as they lie within int32 where
/// floats become integers; how many. None for types that are not converted here.
std::int64_t ConvertSimple(DType from, const void* in, DType to, void* out, std::int64_t count);

}  // namespace slipway::runtime
