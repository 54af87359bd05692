// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/tuning.h"

namespace slipway::runtime {

enum class TestOutcome : std::uint8_t { kPass, kFail, kUnsupported, kError };
/// `pass`, `fail`, `unsupported`, `error`
std::string_view TestOutcomeName(TestOutcome outcome);

struct TestOptions {
  double rtol = 1e-3;
  double atol = 1e-7;
  SessionOptions session = {};
  TuneOptions tune = {};
};

struct TestReport {
  TestOutcome outcome = TestOutcome::kError;
  std::string why;             ///< one line; empty on a pass
  std::int64_t data_sets = 0;  ///< compared
  double max_error = 0;        ///< largest absolute difference of a floating-point output
};

/// Runs a folder that holds `model.onnx` (or one .onnx file) and `test_data_set_N/` with
/// `input_K.pb` and `output_K.pb`, matched to the model's inputs and outputs by index. Floats
/// agree within atol + rtol * |expected|, NaN equals NaN; everything else must be equal.
TestReport RunTestFolder(const std::filesystem::path& folder, const TestOptions& options = {});

/// The folders to test in `path`: itself if it holds a model, else those below it, sorted.
/// kNotFound if there are none.
Result<std::vector<std::filesystem::path>> FindTestFolders(const std::filesystem::path& path);

/// Whether `actual` is `expected` by RunTestFolder's rules; "" or where they differ first.
/// `max_error` grows to the largest difference seen.
std::string CompareValues(const Value& expected, const Value& actual, double rtol, double atol,
                          double& max_error);

}  // namespace slipway::runtime
