// SPDX-License-Identifier: Apache-2.0
#include "tests/support/json.h"

#include <fstream>
#include <ostream>

namespace slipway::testing {

Json ParsedJson(std::string_view text) { return Json::parse(text, nullptr, false); }

Json ParsedJsonFile(const std::filesystem::path& file) {
  std::ifstream in(file);
  return Json::parse(in, nullptr, false);
}

}  // namespace slipway::testing

NLOHMANN_JSON_NAMESPACE_BEGIN
void PrintTo(const json& value, std::ostream* out) { *out << slipway::DumpJson(value); }
NLOHMANN_JSON_NAMESPACE_END
