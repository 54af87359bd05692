// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {

Result<Store::Rows<api::Operation>> Store::QueryOperations(const char* where,
                                                           std::span<const SqlValue> values) {
  const std::string sql =
      std::string(
          "SELECT seq, id, kind, state, workspace, resource, phase, percent, error_code, error,"
          " error_cause, fix, created_time, ended_time FROM operations ") +
      where;
  Rows<api::Operation> rows;
  TRY(database_.Query(sql, values, [&rows](const Row& row) {
    api::Operation operation;
    operation.id = row.Text(1);
    operation.kind = row.Text(2);
    operation.state = row.Text(3);
    operation.workspace = row.Text(4);
    operation.resource = row.Text(5);
    operation.phase = row.Text(6);
    operation.percent = row.Int(7);
    operation.error_code = row.Text(8);
    operation.error = row.Text(9);
    operation.error_cause = row.Text(10);
    operation.fix = row.Text(11);
    operation.created_time = row.Text(12);
    operation.ended_time = row.Text(13);
    rows.emplace_back(row.Int(0), std::move(operation));
  }));
  return rows;
}

Result<void> Store::InsertOperation(const api::Operation& operation) {
  const std::array<SqlValue, 6> values{operation.id,       operation.kind,
                                       operation.state,    operation.workspace,
                                       operation.resource, operation.created_time};
  TRY(database_.Execute(
      "INSERT INTO operations (id, kind, state, workspace, resource, created_time)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      values));
  return {};
}

Result<void> Store::SaveOperation(const api::Operation& operation,
                                  std::span<const OperationEvent> new_events) {
  return Transaction([&]() -> Result<void> {
    const std::array<SqlValue, 10> values{
        operation.state,      operation.resource, operation.phase,       operation.percent,
        operation.error_code, operation.error,    operation.error_cause, operation.fix,
        operation.ended_time, operation.id};
    TRY(database_.Execute(
        "UPDATE operations SET state = ?, resource = ?, phase = ?, percent = ?, error_code = ?,"
        " error = ?, error_cause = ?, fix = ?, ended_time = ? WHERE id = ?",
        values));
    for (const OperationEvent& event : new_events) {
      const std::array<SqlValue, 5> entry{operation.id, event.number, event.kind, event.text,
                                          event.percent};
      TRY(
          database_.Execute("INSERT INTO operation_events (operation, number, kind, text, percent)"
                            " VALUES (?, ?, ?, ?, ?)",
                            entry));
    }
    return {};
  });
}

Result<api::Operation> Store::GetOperation(std::string_view id) {
  const std::array<SqlValue, 1> values{std::string(id)};
  Rows<api::Operation> rows = TRY(QueryOperations("WHERE id = ?", values));
  if (rows.empty()) {
    return Error{.code = Code::kNotFound,
                 .message = "there is no operation \"" + std::string(id) + "\"",
                 .id = "Operation.NotFound"};
  }
  api::Operation operation = std::move(rows.front().second);
  for (OperationEvent& event : TRY(OperationEvents(id, 0))) {
    operation.log.push_back(std::move(event.text));
  }
  return operation;
}

Result<std::vector<OperationEvent>> Store::OperationEvents(std::string_view id,
                                                           std::int64_t after) {
  const std::array<SqlValue, 2> values{std::string(id), after};
  std::vector<OperationEvent> events;
  TRY(
      database_.Query("SELECT number, kind, text, percent FROM operation_events"
                      " WHERE operation = ? AND number > ? ORDER BY number",
                      values, [&events](const Row& row) {
                        events.push_back({row.Int(0), row.Text(1), row.Text(2), row.Int(3)});
                      }));
  return events;
}

Result<Page<api::Operation>> Store::ListOperations(std::string_view workspace,
                                                   const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 3> values{std::string(workspace), next, page.limit + 1};
  return CutPage(
      TRY(QueryOperations("WHERE workspace = ? AND seq < ? ORDER BY seq DESC LIMIT ?", values)),
      page);
}

Result<std::vector<api::Operation>> Store::UnfinishedOperations() {
  std::vector<api::Operation> operations;
  for (auto& row :
       TRY(QueryOperations("WHERE state IN ('NotStarted', 'Running') ORDER BY seq", {}))) {
    operations.push_back(std::move(row.second));
  }
  return operations;
}

Result<void> Store::PruneOperations(std::int64_t keep) {
  const std::array<SqlValue, 1> values{keep};
  TRY(
      database_.Execute("DELETE FROM operations WHERE ended_time <> ''"
                        " AND seq <= (SELECT max(seq) FROM operations) - ?",
                        values));
  return {};
}

}  // namespace slipway::workspace
