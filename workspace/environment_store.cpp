// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

Error NoEnvironment(std::string_view workspace, std::string_view name) {
  return Error{.code = Code::kNotFound,
               .message = "there is no environment \"" + std::string(name) + "\" in workspace \"" +
                          std::string(workspace) + "\"",
               .id = "Environment.NotFound",
               .fix = "slipway environment list"};
}

}  // namespace

Result<Store::Rows<api::Environment>> Store::QueryEnvironments(const char* where,
                                                               std::span<const SqlValue> values) {
  Rows<api::Environment> rows;
  Result<void> read;
  TRY(database_.Query(
      std::string("SELECT seq, workspace, name, settings, created_time, updated_time, change FROM"
                  " environments ") +
          where,
      values, [&](const Row& row) {
        Result<api::Environment> environment = api::Read<api::Environment>(row.Text(3));
        if (!environment) {
          read = environment.error();
          return;
        }
        environment->name = row.Text(2);
        environment->created_time = row.Text(4);
        environment->updated_time = row.Text(5);
        environment->etag =
            MakeEtag(row.Text(1) + "/environments/" + row.Text(2), row.Text(4), row.Int(6));
        rows.emplace_back(row.Int(0), *std::move(environment));
      }));
  TRY(read);
  return rows;
}

Result<bool> Store::PutEnvironment(std::string_view workspace,
                                   const api::Environment& environment) {
  const std::string now = Now();
  const std::string settings = DumpJson(api::ToJson(environment));
  bool is_new = false;
  const auto put = [&]() -> Result<void> {
    const std::array<SqlValue, 4> change{settings, now, std::string(workspace), environment.name};
    const std::int64_t changed = TRY(database_.Execute(
        "UPDATE environments SET settings = ?, updated_time = ?, change = change + 1"
        " WHERE workspace = ? AND name = ?",
        change));
    if (changed > 0) return {};
    is_new = true;
    const std::array<SqlValue, 5> values{std::string(workspace), environment.name, settings, now,
                                         now};
    TRY(database_.Execute(
        "INSERT INTO environments (workspace, name, settings, created_time, updated_time)"
        " VALUES (?, ?, ?, ?, ?)",
        values));
    return {};
  };
  TRY(Transaction(put));
  return is_new;
}

Result<api::Environment> Store::GetEnvironment(std::string_view workspace, std::string_view name) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(name)};
  Rows<api::Environment> rows = TRY(QueryEnvironments("WHERE workspace = ? AND name = ?", values));
  if (rows.empty()) return NoEnvironment(workspace, name);
  return std::move(rows.front().second);
}

Result<Page<api::Environment>> Store::ListEnvironments(std::string_view workspace,
                                                       const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 3> values{std::string(workspace), next, page.limit + 1};
  return CutPage(
      TRY(QueryEnvironments("WHERE workspace = ? AND seq < ? ORDER BY seq DESC LIMIT ?", values)),
      page);
}

Result<void> Store::DeleteEnvironment(std::string_view workspace, std::string_view name) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(name)};
  const std::int64_t deleted =
      TRY(database_.Execute("DELETE FROM environments WHERE workspace = ? AND name = ?", values));
  if (deleted == 0) return NoEnvironment(workspace, name);
  return {};
}

}  // namespace slipway::workspace
