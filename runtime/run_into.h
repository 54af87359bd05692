// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "runtime/runtime.h"

namespace slipway::runtime {

/// Session::Run with outputs in the caller's memory. `values[i]` is a tensor over the memory for
/// output i of `outputs`, and stays so, or nothing, and becomes the output; where `outputs` is
/// empty, of the model's. The node that makes an output writes there at once if it can, else the
/// output is copied. The memory may be an input's: a node that adds to a cache of keys and values
/// does that in place, and any other sees the input as it was given. Where all outputs have memory
/// and shapes that were seen before come, the session allocates nothing for the run but what
/// kernels ask for. Errors as Session::Run; kInvalidArgument (id `Output.WrongMemory`) naming an
/// output whose memory is not of its type and shape, or overlaps that of another output. After an
/// error the memory may hold a part of the outputs.
Result<void> RunInto(Session& session, const Feeds& feeds, std::span<const std::string> outputs,
                     std::span<Value> values, const RunLimits& limits = {});

}  // namespace slipway::runtime
