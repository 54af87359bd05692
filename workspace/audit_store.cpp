// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {

Result<void> Store::InsertAudit(const api::AuditEntry& entry) {
  const std::array<SqlValue, 11> values{
      Now(),      entry.actor,     entry.token_id, entry.role, entry.peer,        entry.method,
      entry.path, entry.workspace, entry.status,   entry.code, entry.operation_id};
  TRY(database_.Execute(
      "INSERT INTO audit (time, actor, token_id, role, peer, method, path, workspace, status, code,"
      " operation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      values));
  return {};
}

Result<Page<api::AuditEntry>> Store::ListAudit(std::string_view workspace, std::string_view actor,
                                               const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 6> values{
      std::string(workspace), std::string(workspace), std::string(actor), std::string(actor), next,
      page.limit + 1};
  Rows<api::AuditEntry> rows;
  TRY(database_.Query(
      "SELECT a.seq, a.time, a.actor, a.token_id, a.role, a.peer, a.method, a.path, a.workspace,"
      " a.status, a.code, a.operation_id, o.state, o.error_code FROM audit a"
      " LEFT JOIN operations o ON o.id = a.operation_id"
      " WHERE (? = '' OR a.workspace = ?) AND (? = '' OR a.actor = ?) AND a.seq < ?"
      " ORDER BY a.seq DESC LIMIT ?",
      values, [&rows](const Row& row) {
        api::AuditEntry entry;
        entry.number = row.Int(0);
        entry.time = row.Text(1);
        entry.actor = row.Text(2);
        entry.token_id = row.Text(3);
        entry.role = row.Text(4);
        entry.peer = row.Text(5);
        entry.method = row.Text(6);
        entry.path = row.Text(7);
        entry.workspace = row.Text(8);
        entry.status = row.Int(9);
        entry.code = row.Text(10);
        entry.operation_id = row.Text(11);
        entry.operation_state = row.Text(12);
        if (entry.code.empty()) entry.code = row.Text(13);
        rows.emplace_back(entry.number, std::move(entry));
      }));
  return CutPage(std::move(rows), page);
}

Result<void> Store::PruneAudit(std::int64_t keep) {
  const std::array<SqlValue, 1> values{keep};
  TRY(database_.Execute("DELETE FROM audit WHERE seq <= (SELECT max(seq) FROM audit) - ?", values));
  return {};
}

}  // namespace slipway::workspace
