// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/tuning.h"
#include "tests/fuzz/fuzz.h"

// What is read is written so that it reads back the same; of what is not, nothing is kept.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using runtime::MeasuredKernels;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  MeasuredKernels read("m");
  const Result<void> added = read.AddText(text);
  if (!added) {
    SLIPWAY_CHECK(added.error().id == "Choices.Invalid");
    SLIPWAY_CHECK(!added.error().message.empty());
    SLIPWAY_CHECK(read.size() == 0);
    return 0;
  }
  SLIPWAY_CHECK(!read.changed());
  MeasuredKernels again("m");
  SLIPWAY_CHECK(again.AddText(read.Text()).has_value());
  SLIPWAY_CHECK(again.Text() == read.Text());
  SLIPWAY_CHECK(again.size() == read.size());
  return 0;
}
