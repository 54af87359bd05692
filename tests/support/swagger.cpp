// SPDX-License-Identifier: Apache-2.0
#include "tests/support/swagger.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/json.h"
#include "base/text.h"
#include "tests/support/json.h"
#include "tests/support/pattern.h"

namespace slipway::testing {
namespace {

/// A scalar as YAML 1.2's core schema reads it; quoted ones are text.
Json Scalar(const YAML::Node& node) {
  const std::string text = node.Scalar();
  if (node.Tag() == "!") return text;
  static const Pattern number(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
  if (text == "true" || text == "false" || number.MatchesAll(text)) return ParsedJson(text);
  if (text.empty() || text == "null" || text == "~") return nullptr;
  return text;
}

Json FromYaml(const YAML::Node& node) {
  if (node.IsMap()) {
    Json json = Json::object();
    for (const auto& item : node) json[item.first.Scalar()] = FromYaml(item.second);
    return json;
  }
  if (node.IsSequence()) {
    Json json = Json::array();
    for (const auto& item : node) json.push_back(FromYaml(item));
    return json;
  }
  return node.IsScalar() ? Scalar(node) : Json();
}

/// Operation of `methods` that this template has, if the path fits it.
bool Fits(std::string_view path_template, std::string_view path,
          std::map<std::string, std::string>& values) {
  std::string pattern;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < path_template.size(); ++i) {
    const char c = path_template[i];
    if (c == '{') {
      const std::size_t end = path_template.find('}', i);
      names.emplace_back(path_template.substr(i + 1, end - i - 1));
      pattern += "([^/]+)";
      i = end;
    } else {
      if (std::string_view(".()+*?[]^$|\\").find(c) != std::string_view::npos) pattern += '\\';
      pattern += c;
    }
  }
  const std::vector<std::string> match = Pattern("^" + pattern + "$").Find(std::string(path));
  if (match.empty()) return false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    values[names[i]] =
        DecodePercent(match[i + 1]).has_value() ? *DecodePercent(match[i + 1]) : match[i + 1];
  }
  return true;
}

}  // namespace

std::optional<Swagger> Swagger::Load(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return std::nullopt;
  if (file.extension() == ".json") return Swagger(ParsedJsonFile(file));
  return Swagger(FromYaml(YAML::Load(in)));
}

const Json& Swagger::Resolve(const Json& schema) const {
  const Json* at = &schema;
  while (at->contains("$ref")) {
    const std::string ref = at->at("$ref");
    if (!ref.starts_with("#/")) break;
    at = &document_.at(Json::json_pointer(ref.substr(1)));
  }
  return *at;
}

void Swagger::Collect(const Json& schema_in, Json& properties, Json& required,
                      const Json** more) const {
  const Json& schema = Resolve(schema_in);
  for (const Json& part : schema.value("allOf", Json::array())) {
    Collect(part, properties, required, more);
  }
  if (schema.contains("properties")) properties.update(schema.at("properties"));
  for (const Json& name : schema.value("required", Json::array())) required.push_back(name);
  if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object()) {
    *more = &schema.at("additionalProperties");
  }
}

void Swagger::CheckObject(const Json& schema, const Json& value, const std::string& where,
                          std::vector<std::string>& wrong) const {
  if (!value.is_object()) {
    wrong.push_back(where + " must be an object");
    return;
  }
  Json properties = Json::object(), required = Json::array();
  const Json* more = nullptr;
  Collect(schema, properties, required, &more);
  for (const Json& name : required) {
    if (!value.contains(name.get<std::string>())) {
      wrong.push_back(where + "." + name.get<std::string>() + " is missing");
    }
  }
  const bool open = properties.empty() && more == nullptr;
  for (const auto& [name, member] : value.items()) {
    const std::string inner = where + "." + name;
    if (properties.contains(name)) {
      if (Resolve(properties.at(name)).value("readOnly", false)) {
        wrong.push_back(inner + " is read-only");
      }
      CheckValue(properties.at(name), member, inner, wrong);
    } else if (more != nullptr) {
      CheckValue(*more, member, inner, wrong);
    } else if (!open) {
      wrong.push_back(inner + " is not in the schema");
    }
  }
}

void Swagger::CheckValue(const Json& schema_in, const Json& value, const std::string& where,
                         std::vector<std::string>& wrong) const {
  const Json& schema = Resolve(schema_in);
  if (value.is_null() && schema.value("x-nullable", false)) return;
  const Json& typed = schema;
  const std::string type =
      typed.value("type", typed.contains("properties") || typed.contains("allOf") ? "object" : "");
  if (schema.contains("enum")) {
    const Json& words = schema.at("enum");
    const bool open =
        schema.contains("x-ms-enum") && schema.at("x-ms-enum").value("modelAsString", false);
    if (!open && std::find(words.begin(), words.end(), value) == words.end()) {
      wrong.push_back(where + " " + DumpJson(value) + " is none of " + DumpJson(words));
    }
  }
  if (type == "object") CheckObject(schema, value, where, wrong);
  if (type == "array") {
    if (!value.is_array()) {
      wrong.push_back(where + " must be an array");
    } else {
      for (std::size_t i = 0; i < value.size(); ++i) {
        CheckValue(schema.at("items"), value.at(i), where + "[" + std::to_string(i) + "]", wrong);
      }
    }
  }
  if (type == "string" && !value.is_string()) wrong.push_back(where + " must be a string");
  if (type == "boolean" && !value.is_boolean()) wrong.push_back(where + " must be a boolean");
  if (type == "integer" && !value.is_number_integer())
    wrong.push_back(where + " must be an integer");
  if (type == "number" && !value.is_number()) wrong.push_back(where + " must be a number");
  if (value.is_number()) {
    if (schema.contains("minimum") && value < schema.at("minimum")) {
      wrong.push_back(where + " is too small");
    }
    if (schema.contains("maximum") && value > schema.at("maximum")) {
      wrong.push_back(where + " is too large");
    }
  }
  if (value.is_string() && schema.contains("pattern") &&
      !Pattern(schema.at("pattern").get<std::string>()).IsIn(value.get<std::string>())) {
    wrong.push_back(where + " does not match " + schema.at("pattern").get<std::string>());
  }
}

void Swagger::CheckText(const Json& parameter, const std::string& value, const std::string& where,
                        std::vector<std::string>& wrong) const {
  const std::string type = parameter.value("type", "string");
  Json typed = value;
  const bool docker_flag = type == "boolean" && (value == "1" || value == "0");
  if (docker_flag) typed = value == "1";
  if (type != "string" && type != "array" && !docker_flag) {
    typed = ParsedJson(value);
    if (typed.is_discarded()) typed = value;
  }
  if (type == "array") return;
  CheckValue(parameter, typed, where, wrong);
}

std::string Swagger::Template(const http::Request& request, std::string_view base) const {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (!path.starts_with(base)) return {};
  std::map<std::string, std::string> values;
  std::string found;
  for (const auto& [path_template, methods] : document_.at("paths").items()) {
    if (!methods.contains(ToLower(request.method))) continue;
    if (!Fits(path_template, std::string_view(path).substr(base.size()), values)) continue;
    if (found.empty() || path_template.find('{') == std::string::npos) found = path_template;
  }
  return found;
}

std::vector<std::string> Swagger::Violations(const http::Request& request,
                                             std::string_view base) const {
  const std::string path_template = Template(request, base);
  if (path_template.empty()) return {request.method + " " + request.target + " is no operation"};
  const Json& path_item = document_.at("paths").at(path_template);
  const Json& operation = path_item.at(ToLower(request.method));
  Json parameters = path_item.value("parameters", Json::array());
  for (const Json& parameter : operation.value("parameters", Json::array())) {
    parameters.push_back(parameter);
  }
  std::map<std::string, std::string> path_values;
  const std::string path = request.target.substr(0, request.target.find('?'));
  Fits(path_template, std::string_view(path).substr(base.size()), path_values);
  const auto target = http::ParseTarget(request.target);
  if (!target) return {"target: " + target.error().message};
  std::vector<std::string> wrong;
  std::vector<std::string> known;
  bool has_body = false;
  for (const Json& parameter_in : parameters) {
    const Json& parameter = Resolve(parameter_in);
    const std::string in = parameter.at("in"), name = parameter.at("name");
    const bool required = parameter.value("required", false);
    if (in == "query") {
      known.push_back(name);
      const auto at = std::find_if(target->query.begin(), target->query.end(),
                                   [&n = name](const auto& item) { return item.first == n; });
      if (at != target->query.end()) CheckText(parameter, at->second, "query " + name, wrong);
      if (at == target->query.end() && required) wrong.push_back("query " + name + " is missing");
    }
    if (in == "path") CheckText(parameter, path_values[name], "path " + name, wrong);
    if (in == "header" && required && !request.headers.Has(name)) {
      wrong.push_back("header " + name + " is missing");
    }
    if (in == "body") {
      has_body = true;
      const Json& schema = Resolve(parameter.at("schema"));
      if (schema.value("type", "") == "string") continue;
      if (request.body.empty()) {
        if (required) wrong.emplace_back("the body is missing");
        continue;
      }
      const Json body = ParsedJson(request.body);
      if (body.is_discarded()) {
        wrong.emplace_back("the body is no JSON");
      } else {
        CheckValue(parameter.at("schema"), body, "body", wrong);
      }
    }
  }
  if (!has_body && !request.body.empty()) wrong.emplace_back("it takes no body");
  for (const auto& [name, value] : target->query) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      wrong.push_back("query " + name + " is not in the schema");
    }
  }
  return wrong;
}

}  // namespace slipway::testing
