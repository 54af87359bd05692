// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/unit.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {

std::span<const EmbeddedFile> migration_files();

Result<std::unique_ptr<Store>> Store::Open(Database& database, Clock& clock) {
  TRY(database.Migrate("workspace", migration_files()));
  return std::unique_ptr<Store>(new Store(database, clock));
}

Result<void> Store::Transaction(const std::function<Result<void>()>& body) {
  return database_.Transaction(body);
}

Result<void> Store::Ping() {
  return database_.Query("SELECT 1", {}, [](const Row&) {});
}

std::string Store::Now() { return FormatTime(clock_.Now()); }

Result<Store::Rows<api::Workspace>> Store::QueryWorkspaces(const char* where,
                                                           std::span<const SqlValue> values) {
  const std::string sql =
      std::string(
          "SELECT seq, name, location, subscription_id, resource_group, description, tags,"
          " created_time FROM workspaces ") +
      where;
  Rows<api::Workspace> rows;
  TRY(database_.Query(sql, values, [&rows](const Row& row) {
    api::Workspace found{.name = row.Text(1),
                         .location = row.Text(2),
                         .subscription_id = row.Text(3),
                         .resource_group = row.Text(4),
                         .description = row.Text(5),
                         .id = "/workspaces/" + row.Text(1),
                         .created_time = row.Text(7),
                         .etag = MakeEtag(row.Text(1), row.Text(7), 1),
                         .tags = TextMapFromColumn(row.Text(6))};
    rows.emplace_back(row.Int(0), std::move(found));
  }));
  return rows;
}

Result<api::Workspace> Store::CreateWorkspace(const api::CreateWorkspace& wanted) {
  const std::array<SqlValue, 7> values{wanted.name,
                                       wanted.location,
                                       wanted.subscription_id,
                                       wanted.resource_group,
                                       wanted.description,
                                       TextMapToColumn(wanted.tags),
                                       Now()};
  Result<std::int64_t> inserted = database_.Execute(
      "INSERT INTO workspaces (name, location, subscription_id, resource_group, description, tags,"
      " created_time) VALUES (?, ?, ?, ?, ?, ?, ?)",
      values);
  if (!inserted) {
    if (inserted.error().code != Code::kAlreadyExists) return std::move(inserted).error();
    return Error{.code = Code::kAlreadyExists,
                 .message = "there is a workspace \"" + wanted.name + "\" already",
                 .id = "Workspace.AlreadyExists",
                 .fix = "choose another name, or send exist_ok"};
  }
  return GetWorkspace(wanted.name);
}

Result<api::Workspace> Store::GetWorkspace(std::string_view name) {
  const std::array<SqlValue, 1> values{std::string(name)};
  Rows<api::Workspace> rows = TRY(QueryWorkspaces("WHERE name = ?", values));
  if (rows.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = "there is no workspace \"" + std::string(name) + "\"",
                 .id = "Workspace.NotFound",
                 .fix = "slipway workspace list"};
  }
  return std::move(rows.front().second);
}

Result<Page<api::Workspace>> Store::ListWorkspaces(const PageRequest& page) {
  const std::array<SqlValue, 2> values{TRY(DecodeNext(page.next)), page.limit + 1};
  return CutPage(TRY(QueryWorkspaces("WHERE seq < ? ORDER BY seq DESC LIMIT ?", values)), page);
}

Result<void> Store::DeleteWorkspace(std::string_view name) {
  const std::array<SqlValue, 1> values{std::string(name)};
  Result<std::int64_t> deleted = database_.Execute("DELETE FROM workspaces WHERE name = ?", values);
  if (!deleted) {
    if (deleted.error().code != Code::kFailedPrecondition) return std::move(deleted).error();
    return Error{.code = Code::kFailedPrecondition,
                 .message = "workspace \"" + std::string(name) + "\" has images or services",
                 .id = "Workspace.NotEmpty",
                 .fix = "delete them first"};
  }
  if (*deleted == 0) return GetWorkspace(name).error();
  return {};
}

}  // namespace slipway::workspace
