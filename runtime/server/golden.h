// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/value.h"

namespace slipway::server {

struct ServedModel;

struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-5;
  double of_largest = 0;  ///< of the largest finite number of the tensor that is wanted
};
/// Of answers whose products are computed so: rounding errors are as large as the layers' numbers,
/// not as the single element.
Tolerance ToleranceOf(runtime::Precision precision);

/// Whether `got` agrees with `want`: floating-point elements within
/// `absolute + relative * |want| + of_largest * max |want|`, NaN with NaN, all others exactly.
/// kFailedPrecondition naming the first element that does not.
Result<void> Agree(const runtime::Value& got, const runtime::Value& want,
                   const Tolerance& tolerance = {});

/// Runs every `test_data_set_*` folder beside the model (`input_N.pb`, `output_N.pb`) and
/// compares; says how many were reproduced. kFailedPrecondition (id `Model.WrongAnswer`) naming
/// folder, output and element, or that a run took longer than `time_limit`.
Result<std::int64_t> CheckGoldenSamples(
    const ServedModel& model, const Tolerance& tolerance = {},
    const std::optional<std::chrono::milliseconds>& time_limit = {});

}  // namespace slipway::server
