// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/store.h"

namespace slipway::workspace {
namespace {

constexpr std::chrono::hours kKept{24};

std::vector<std::pair<std::string, std::string>> HeadersFromColumn(const std::string& column) {
  std::vector<std::pair<std::string, std::string>> headers;
  const Result<Json> json = ParseJson(column);
  if (!json || !json->is_array()) return headers;
  for (const Json& field : *json) {
    if (field.is_array() && field.size() == 2 && field[0].is_string() && field[1].is_string()) {
      headers.emplace_back(field[0].get<std::string>(), field[1].get<std::string>());
    }
  }
  return headers;
}

}  // namespace

Result<std::optional<KeptResponse>> Store::ReserveKey(const std::string& key,
                                                      const std::string& target,
                                                      const std::string& body_digest) {
  std::optional<KeptResponse> kept;
  const auto reserve = [&]() -> Result<void> {
    const std::array<SqlValue, 3> name{key, target, FormatTime(clock_.Now() - kKept)};
    TRY(database_.Query(
        "SELECT body_digest, status, headers, body FROM idempotency"
        " WHERE key = ? AND target = ? AND created_time >= ?",
        name, [&kept](const Row& row) {
          kept = KeptResponse{row.Text(0), row.Int(1), HeadersFromColumn(row.Text(2)), row.Text(3)};
        }));
    if (kept) return {};
    const std::array<SqlValue, 4> values{key, target, body_digest, Now()};
    TRY(database_.Execute(
        "INSERT OR REPLACE INTO idempotency (key, target, body_digest, status, headers, body,"
        " created_time) VALUES (?, ?, ?, 0, '[]', '', ?)",
        values));
    return {};
  };
  TRY(Transaction(reserve));
  return kept;
}

Result<void> Store::KeepResponse(const std::string& key, const std::string& target,
                                 const KeptResponse& response) {
  const std::array<SqlValue, 5> values{response.status, DumpJson(Json(response.headers)),
                                       response.body, key, target};
  TRY(database_.Execute(
      "UPDATE idempotency SET status = ?, headers = ?, body = ? WHERE key = ? AND target = ?",
      values));
  return {};
}

Result<void> Store::ReleaseKey(const std::string& key, const std::string& target) {
  const std::array<SqlValue, 2> values{key, target};
  TRY(database_.Execute("DELETE FROM idempotency WHERE key = ? AND target = ?", values));
  return {};
}

Result<void> Store::PruneKeys(bool also_under_way) {
  const std::array<SqlValue, 2> values{FormatTime(clock_.Now() - kKept),
                                       std::int64_t{also_under_way}};
  TRY(database_.Execute("DELETE FROM idempotency WHERE created_time < ? OR (? = 1 AND status = 0)",
                        values));
  return {};
}

}  // namespace slipway::workspace
