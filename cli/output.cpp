// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"

namespace slipway::cli {
namespace {

std::string Scalar(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  return DumpJson(value);
}

std::string TagsText(const Json& value) {
  std::vector<std::string> parts;
  for (const auto& [key, text] : value.items()) {
    const std::string scalar = Scalar(text);
    parts.push_back(scalar.empty() ? key : key + "=" + scalar);
  }
  return Join(parts, ",");
}

std::string ListText(const Json& value) {
  std::vector<std::string> parts;
  for (const Json& item : value) parts.push_back(Scalar(item));
  return Join(parts, ", ");
}

std::string SignatureText(const Json& values) {
  std::vector<std::string> parts;
  for (const Json& value : values) {
    if (!value.is_object()) continue;
    std::string part =
        value.value("name", Json()).is_string() ? value["name"].get<std::string>() : "";
    std::string type = Scalar(value.value("type", Json()));
    const auto shape = value.find("shape");
    const bool shaped = shape != value.end() && shape->is_array();
    if (shaped && type.starts_with("tensor(")) type = type.substr(7, type.size() - 8);
    part += " " + type;
    if (shaped) {
      std::vector<std::string> dimensions;
      for (const Json& dimension : *shape) dimensions.push_back(Scalar(dimension));
      part += "[" + Join(dimensions, ",") + "]";
    }
    parts.push_back(std::move(part));
  }
  return Join(parts, ", ");
}

std::string Cell(const Json& object, const Column& column) {
  if (!object.is_object()) return "";
  const auto found = object.find(column.key);
  if (found == object.end() || found->is_null()) return "";
  switch (column.kind) {
    case Column::Kind::kBytes:
      if (found->is_number_integer()) return BytesText(found->get<std::int64_t>());
      return Scalar(*found);
    case Column::Kind::kTags:
      return Printable(found->is_object() ? TagsText(*found) : Scalar(*found));
    case Column::Kind::kSignature:
      return Printable(SignatureText(*found));
    case Column::Kind::kText:
      break;
  }
  return Printable(found->is_array() ? ListText(*found) : Scalar(*found));
}

std::string Padded(std::string text, std::size_t width) {
  const std::size_t used = Width(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::string Lines(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += Padded(row[i], widths[i]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

/// Whether YAML would read the bare text as this very string.
bool PlainInYaml(const std::string& text) {
  static constexpr std::array<std::string_view, 9> kWords = {"true", "false", "null", "yes", "no",
                                                             "on",   "off",   "y",    "n"};
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text.front())) == 0) return false;
  if (std::find(kWords.begin(), kWords.end(), ToLower(text)) != kWords.end()) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./").find(char(c)) != std::string::npos;
  });
}

void EmitYaml(YAML::Emitter& out, const Json& json) {
  if (json.is_object()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      if (!PlainInYaml(key)) out << YAML::DoubleQuoted;
      out << YAML::Key << key << YAML::Value;
      EmitYaml(out, value);
    }
    out << YAML::EndMap;
  } else if (json.is_array()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Json& value : json) EmitYaml(out, value);
    out << YAML::EndSeq;
  } else if (json.is_string()) {
    const std::string text = json.get<std::string>();
    if (!PlainInYaml(text)) out << YAML::DoubleQuoted;
    out << text;
  } else if (json.is_null()) {
    out << YAML::Null;
  } else {
    out << DumpJson(json);
  }
}

std::string Whole(Format format, const Json& json) {
  if (format == Format::kYaml) {
    YAML::Emitter out;
    EmitYaml(out, json);
    return std::string(out.c_str(), out.size()) + "\n";
  }
  return DumpJson(json, 2) + "\n";
}

}  // namespace

Result<Format> FormatFromName(std::string_view name) {
  if (name.empty() || name == "table") return Format::kTable;
  if (name == "json") return Format::kJson;
  if (name == "yaml") return Format::kYaml;
  return Error{.code = Code::kInvalidArgument,
               .message = "unknown output format '" + std::string(name) + "'",
               .id = "Usage",
               .fix = "one of table, json, yaml"};
}

std::string BytesText(std::int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string Printable(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return safe;
}

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

std::string RenderList(Format format, const Json& items, const Columns& columns) {
  if (format != Format::kTable) return Whole(format, items);
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : columns) rows.front().emplace_back(column.title);
  for (const Json& item : items) {
    std::vector<std::string> row;
    for (const Column& column : columns) row.push_back(Cell(item, column));
    rows.push_back(std::move(row));
  }
  return Lines(rows);
}

std::string RenderObject(Format format, const Json& object, const Columns& rows_wanted) {
  if (format != Format::kTable) return Whole(format, object);
  std::vector<std::vector<std::string>> rows;
  for (const Column& column : rows_wanted) {
    std::string cell = Cell(object, column);
    if (!cell.empty()) rows.push_back({std::string(column.title), std::move(cell)});
  }
  return Lines(rows);
}

}  // namespace slipway::cli
