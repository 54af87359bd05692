// SPDX-License-Identifier: Apache-2.0
#include "cli/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/file.h"

namespace slipway::cli {
namespace {

constexpr std::int64_t kBytesMax = 1 << 20;
constexpr int kDepthMax = 32;
constexpr int kNodesMax = 10'000;

Error Invalid(std::string_view name, const YAML::Mark& mark, std::string_view why) {
  const std::string line = mark.is_null() ? "" : fmt::format(" line {}:", mark.line + 1);
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{}:{} {}", name, line, why),
               .id = "Config.Invalid"};
}

bool IsOneOf(const std::string& text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

template <class T>
bool ReadNumber(const std::string& text, T& value) {
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(begin, end, value);
  return failure == std::errc() && stop == end && begin != end;
}

/// A plain scalar. Source: YAML 1.2.2 section 10.3.2.
Json PlainScalar(const std::string& text) {
  if (IsOneOf(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (IsOneOf(text, {"true", "True", "TRUE"})) return true;
  if (IsOneOf(text, {"false", "False", "FALSE"})) return false;
  std::int64_t integer = 0;
  if (ReadNumber(text, integer)) return integer;
  const bool like_number = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  double number = 0;
  if (like_number && ReadNumber(text, number) && std::isfinite(number)) return number;
  return text;
}

/// Turns one document into JSON, within limits: an alias may make a small text large.
class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  Result<Json> Read(const YAML::Node& node, int depth) {
    if (depth > kDepthMax) return Invalid(name_, node.Mark(), "it is nested too deeply");
    if (++nodes_ > kNodesMax) return Invalid(name_, node.Mark(), "it has too many values");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Json();
      case YAML::NodeType::Scalar:
        return node.Tag() == "!" ? Json(node.Scalar()) : PlainScalar(node.Scalar());
      case YAML::NodeType::Sequence:
        return ReadList(node, depth);
      case YAML::NodeType::Map:
        return ReadMap(node, depth);
    }
    return Json();
  }

 private:
  Result<Json> ReadList(const YAML::Node& node, int depth) {
    Json list = Json::array();
    for (const YAML::Node& item : node) list.push_back(TRY(Read(item, depth + 1)));
    return list;
  }

  Result<Json> ReadMap(const YAML::Node& node, int depth) {
    Json object = Json::object();
    for (const auto& item : node) {
      const YAML::Node& key = item.first;
      if (!key.IsScalar()) return Invalid(name_, key.Mark(), "a key must be text");
      if (object.contains(key.Scalar())) {
        return Invalid(name_, key.Mark(), fmt::format("key '{}' comes twice", key.Scalar()));
      }
      object[key.Scalar()] = TRY(Read(item.second, depth + 1));
    }
    return object;
  }

  const std::string_view name_;
  int nodes_ = 0;
};

}  // namespace

Result<Json> ParseConfig(std::string_view text, std::string_view name) {
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    Json json = TRY(Reader(name).Read(root, 0));
    if (json.is_null()) return Json::object();
    if (json.is_object()) return json;
    return Invalid(name, root.Mark(), "it holds no settings, which are KEY: VALUE lines");
  } catch (const YAML::Exception& thrown) {
    return Invalid(name, thrown.mark, thrown.msg);
  } catch (const std::exception& thrown) {
    return Invalid(name, YAML::Mark::null_mark(), thrown.what());
  }
}

Result<Json> ReadConfigFile(const std::filesystem::path& file) {
  const std::string text = TRY(ReadFile(file, kBytesMax));
  return ParseConfig(text, file.filename().string());
}

}  // namespace slipway::cli
