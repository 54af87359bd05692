// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "runtime/python/fast_call.h"

namespace slipway::python {

/// A list of the outputs: arrays, dicts of maps and lists of such dicts. Where some are large or
/// nothing of the kind, a tuple of one list, in which these are tuples of their view's first seven
/// fields, whose value the caller then owns. Null with an exception; all other values are released.
PyObject* Outputs(const slipway_python_call& call, std::span<const slipway_view> views);

}  // namespace slipway::python
