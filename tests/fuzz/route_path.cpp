// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "base/http/http.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

// What is accepted names no parent folder, and its segments encode to a target that reads the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<http::Target> target = http::ParseTarget(text);
  if (!target || target->path == "*") return 0;
  std::string encoded = "/";
  for (const std::string& segment : target->segments) {
    SLIPWAY_CHECK(!segment.empty() && segment != "." && segment != "..");
    SLIPWAY_CHECK(segment.find('\0') == std::string::npos && IsUtf8(segment));
    encoded += EncodePercent(segment) + "/";
  }
  char separator = '?';
  for (const auto& [name, value] : target->query) {
    encoded += separator + EncodePercent(name) + "=" + EncodePercent(value);
    separator = '&';
  }
  const Result<http::Target> again = http::ParseTarget(encoded);
  SLIPWAY_CHECK(again.has_value());
  SLIPWAY_CHECK(again->segments == target->segments && again->query == target->query);
  return 0;
}
