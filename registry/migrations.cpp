// SPDX-License-Identifier: Apache-2.0
#include "registry/migrations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/digest.h"

namespace slipway {
namespace {

struct Applied {
  std::int64_t number = 0;
  std::string name, checksum, release;
};

Error Bug(std::string message) { return {.code = Code::kInternal, .message = std::move(message)}; }

Result<std::int64_t> NumberOf(std::string_view name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + 4 || !name.substr(4).starts_with('_') ||
      !name.ends_with(".sql")) {
    return Bug(fmt::format("migration {} is not named NNNN_what.sql", name));
  }
  return number;
}

Result<void> CheckNumbers(std::span<const EmbeddedFile> migrations) {
  std::int64_t expected = 1;
  for (const EmbeddedFile& file : migrations) {
    if (TRY(NumberOf(file.name)) != expected) {
      return Bug(
          fmt::format("migration {} is out of order: expected number {}", file.name, expected));
    }
    ++expected;
  }
  return {};
}

Result<std::vector<Applied>> ReadApplied(Database& database, std::string_view module) {
  std::vector<Applied> applied;
  const std::vector<SqlValue> values = {std::string(module)};
  TRY(database.Query(
      "SELECT number, name, checksum, release FROM schema_migrations WHERE module = ? "
      "ORDER BY number",
      values, [&](const Row& row) {
        applied.push_back({row.Int(0), row.Text(1), row.Text(2), row.Text(3)});
      }));
  return applied;
}

Result<void> CheckApplied(const Database& database, std::string_view module,
                          std::span<const EmbeddedFile> migrations,
                          const std::vector<Applied>& applied) {
  if (applied.size() > migrations.size()) {
    const Applied& last = applied.back();
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format(
            "{}: {} schema {} was written by slipway {}; this is slipway {}, which knows "
            "schema {}",
            database.file().string(), module, last.number, last.release, SLIPWAY_VERSION,
            migrations.size()),
        .id = "State.Newer",
        .fix = fmt::format("use slipway {} or newer, or another state folder", last.release)};
  }
  for (std::size_t i = 0; i < applied.size(); ++i) {
    if (applied[i].number != static_cast<std::int64_t>(i) + 1 ||
        applied[i].checksum != Digest::OfText(migrations[i].text).text()) {
      return Bug(fmt::format("{}: migration {} of {} is not the one that was applied ({})",
                             database.file().string(), migrations[i].name, module,
                             applied[i].name));
    }
  }
  return {};
}

Result<void> ApplyOne(Database& database, std::string_view module, const EmbeddedFile& file,
                      const ScriptRunner& run) {
  if (auto ran = run(file.text); !ran) {
    return Within(fmt::format("applying {}/{}", module, file.name), std::move(ran).error());
  }
  const std::int64_t number = TRY(NumberOf(file.name));
  const std::vector<SqlValue> values = {std::string(module), number, std::string(file.name),
                                        Digest::OfText(file.text).text(),
                                        std::string(SLIPWAY_VERSION)};
  TRY(
      database.Execute("INSERT INTO schema_migrations (module, number, name, checksum, release) "
                       "VALUES (?, ?, ?, ?, ?)",
                       values));
  return {};
}

}  // namespace

Result<void> ApplyMigrations(Database& database, std::string_view module,
                             std::span<const EmbeddedFile> migrations, const ScriptRunner& run) {
  std::vector<EmbeddedFile> sorted(migrations.begin(), migrations.end());
  std::ranges::sort(sorted, {}, &EmbeddedFile::name);
  TRY(CheckNumbers(sorted));
  const std::vector<Applied> seen = TRY(ReadApplied(database, module));
  TRY(CheckApplied(database, module, sorted, seen));
  if (seen.size() == sorted.size()) return {};
  return database.Transaction([&]() -> Result<void> {
    const std::vector<Applied> applied = TRY(ReadApplied(database, module));
    TRY(CheckApplied(database, module, sorted, applied));
    for (std::size_t i = applied.size(); i < sorted.size(); ++i) {
      TRY(ApplyOne(database, module, sorted[i], run));
    }
    return {};
  });
}

}  // namespace slipway
