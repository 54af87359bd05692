// SPDX-License-Identifier: Apache-2.0
#include "base/byte_size.h"

#include <fmt/format.h>

#include <charconv>

namespace slipway {

Result<std::int64_t> ParseBytes(std::string_view what, std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit.front()) + 1;
  const bool known = unit.empty() || (unit.size() == 1 && power > 0);
  if (error == std::errc() && number > 0 && known && number <= INT64_MAX >> (10 * power)) {
    return number << (10 * power);
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} '{}' is no number of bytes", what, text),
               .fix = "a number of 1 or more, and K, M, G or T behind it for powers of 1024"};
}

}  // namespace slipway
