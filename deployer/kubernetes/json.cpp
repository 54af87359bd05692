// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/json.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace slipway::deployer {
namespace {

const Json& Nothing() {
  static const Json nothing;
  return nothing;
}

}  // namespace

const Json& KubeAt(const Json& object, std::initializer_list<const char*> path) {
  const Json* at = &object;
  for (const char* name : path) {
    if (!at->is_object()) return Nothing();
    const auto found = at->find(name);
    if (found == at->end()) return Nothing();
    at = &*found;
  }
  return *at;
}

const Json& KubeList(const Json& value) {
  static const Json empty = Json::array();
  return value.is_array() ? value : empty;
}

std::string KubeText(const Json& object, const std::string& name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t KubeInt(const Json& object, const std::string& name, std::int64_t fallback) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                             : fallback;
}

std::string KubeLine(std::string_view text) {
  constexpr std::size_t kCharsMax = 600;
  std::string line;
  for (const char c : text.substr(0, kCharsMax)) {
    const bool is_blank = static_cast<unsigned char>(c) <= ' ';
    if (is_blank && (line.empty() || line.back() == ' ')) continue;
    line += is_blank ? ' ' : c;
  }
  return std::string(Trim(line));
}

}  // namespace slipway::deployer
