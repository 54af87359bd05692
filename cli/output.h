// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace slipway::cli {

enum class Format : std::uint8_t { kTable, kJson, kYaml };
/// Empty: a table. kInvalidArgument naming the formats there are.
Result<Format> FormatFromName(std::string_view name);

/// A column of a table: a member of each object under a title.
struct Column {
  enum class Kind : std::uint8_t {
    kText,
    kBytes,      ///< `25.4 KB`
    kTags,       ///< a map as `k=v,k`
    kSignature,  ///< inputs or outputs as `image float[batch,1,8,8]`
  };
  std::string_view title, key;
  Kind kind = Kind::kText;
};
using Columns = std::vector<Column>;

/// A list: a table with a title line and aligned columns, or all of it as JSON or YAML.
std::string RenderList(Format format, const Json& items, const Columns& columns);

/// An object: one `title  value` line each, or all of it as JSON or YAML.
std::string RenderObject(Format format, const Json& object, const Columns& rows);

/// `999 B`, `25.4 KB`, `1.2 GB`; powers of 1000.
std::string BytesText(std::int64_t bytes);

/// `text` without what could steer a terminal: control characters become `?`.
std::string Printable(std::string_view text);

/// The length `text` takes on a terminal: its UTF-8 characters.
std::size_t Width(std::string_view text);

}  // namespace slipway::cli
