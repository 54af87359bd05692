// SPDX-License-Identifier: Apache-2.0
#include "tests/support/json_schema.h"

#include <algorithm>
#include <set>

#include "base/json.h"

namespace slipway::testing {
namespace {

using nlohmann::json;

class Checker {
 public:
  explicit Checker(const json& root) : root_(root) {}

  std::string Check(const json& schema, const json& value, const std::string& at) const {
    static const std::set<std::string> known = {
        "$ref",        "type",   "properties", "required", "additionalProperties",
        "items",       "enum",   "oneOf",      "$schema",  "description",
        "definitions", "format", "default"};
    for (const auto& [keyword, unused] : schema.items()) {
      if (!known.contains(keyword) && !keyword.starts_with("x-")) {
        return at + ": the schema has the keyword " + keyword;
      }
    }
    if (schema.contains("$ref")) return Check(Resolve(schema["$ref"]), value, at);
    if (schema.contains("type") && !HasType(schema["type"], value)) {
      return at + ": is no " + DumpJson(schema["type"]);
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
      return at + ": is none of " + DumpJson(schema["enum"]);
    }
    if (schema.contains("oneOf")) {
      const auto fits =
          std::count_if(schema["oneOf"].begin(), schema["oneOf"].end(),
                        [&](const json& one) { return Check(one, value, at).empty(); });
      if (fits != 1) return at + ": fits " + std::to_string(fits) + " of its forms";
    }
    if (value.is_object()) return CheckObject(schema, value, at);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        std::string wrong = Check(schema["items"], value[i], at + "[" + std::to_string(i) + "]");
        if (!wrong.empty()) return wrong;
      }
    }
    return "";
  }

 private:
  const json& Resolve(const std::string& reference) const {
    return root_.at(json::json_pointer(reference.substr(1)));
  }

  static bool IsType(const std::string& type, const json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == "null" && value.is_null();
  }
  static bool HasType(const json& type, const json& value) {
    if (type.is_string()) return IsType(type, value);
    return std::any_of(type.begin(), type.end(),
                       [&value](const json& one) { return IsType(one, value); });
  }

  std::string CheckObject(const json& schema, const json& value, const std::string& at) const {
    static const json nothing = json::object();
    const json& properties = schema.contains("properties") ? schema["properties"] : nothing;
    if (schema.contains("required")) {
      for (const json& name : schema["required"]) {
        if (!value.contains(name.get<std::string>())) {
          return at + ": lacks " + name.get<std::string>();
        }
      }
    }
    for (const auto& [name, member] : value.items()) {
      const std::string path = at.empty() ? name : at + "." + name;
      std::string wrong;
      if (properties.contains(name)) {
        wrong = Check(properties[name], member, path);
      } else if (schema.contains("additionalProperties")) {
        const json& others = schema["additionalProperties"];
        if (others == json(false)) return path + ": unknown field";
        if (others.is_object()) wrong = Check(others, member, path);
      }
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  const json& root_;
};

}  // namespace

std::string SchemaError(const nlohmann::json& schema, const nlohmann::json& value) {
  return Checker(schema).Check(schema, value, "");
}

}  // namespace slipway::testing
