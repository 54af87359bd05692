// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"
#include "tests/fuzz/fuzz.h"

// What parses can be written and reads back the same, and every check of a member holds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Json> json = ParseJson(text);
  if (!json) {
    SLIPWAY_CHECK(!json.error().message.empty());
    return 0;
  }
  const std::string dumped = DumpJson(*json);
  const Result<Json> again = ParseJson(dumped);
  SLIPWAY_CHECK(again.has_value());
  SLIPWAY_CHECK(DumpJson(*again) == dumped);
  const bool known = OnlyKnownFields(*json, {"name", "version"}).has_value();
  SLIPWAY_CHECK(json->is_object() || !known);
  SLIPWAY_CHECK(!GetString(*json, "name") || json->is_object());
  SLIPWAY_CHECK(!GetInt(*json, "version") || json->is_object());
  return 0;
}
