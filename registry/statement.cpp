// SPDX-License-Identifier: Apache-2.0
#include "registry/statement.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>
#include <variant>

#include "base/text.h"
#include "registry/sqlite_error.h"

namespace slipway {
namespace {

constexpr std::size_t kIdleStatements = 128;

class StatementRow final : public Row {
 public:
  explicit StatementRow(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  double Real(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string Text(int column) const override {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    const int bytes = sqlite3_column_bytes(statement_, column);
    return text == nullptr ? std::string() : std::string(text, static_cast<std::size_t>(bytes));
  }
  bool IsNull(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }

 private:
  sqlite3_stmt* statement_;
};

struct Binder {
  sqlite3_stmt* statement;
  int index;
  int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
  int operator()(const std::string& value) const {
    return sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  }
};

}  // namespace

void StatementCloser::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

class StatementCache::Loan {
 public:
  Loan(StatementCache& cache, Statements::node_type node) : cache_(cache), node_(std::move(node)) {}
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    sqlite3_reset(statement());
    sqlite3_clear_bindings(statement());
    if (cache_.idle_.size() < kIdleStatements) cache_.idle_.insert(std::move(node_));
  }
  sqlite3_stmt* statement() { return node_.mapped().get(); }

 private:
  StatementCache& cache_;
  Statements::node_type node_;
};

Result<StatementCache::Statements::node_type> StatementCache::Take(std::string_view sql) {
  if (const auto found = idle_.find(sql); found != idle_.end()) return idle_.extract(found);
  sqlite3_stmt* prepared = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, &tail);
  Statements made;
  made.emplace(sql, prepared);
  if (code != SQLITE_OK) return SqliteError(connection_, code, file_);
  if (prepared == nullptr ||
      !Trim(sql.substr(static_cast<std::size_t>(tail - sql.data()))).empty()) {
    return Error{.code = Code::kInternal, .message = fmt::format("not one SQL statement: {}", sql)};
  }
  return made.extract(made.begin());
}

Result<void> StatementCache::Run(std::string_view sql, std::span<const SqlValue> values,
                                 const std::function<void(const Row&)>& row) {
  Loan loan(*this, TRY(Take(sql)));
  sqlite3_stmt* statement = loan.statement();
  if (std::cmp_not_equal(sqlite3_bind_parameter_count(statement), values.size())) {
    return Error{.code = Code::kInternal,
                 .message = fmt::format("{} values for: {}", values.size(), sql)};
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int code = std::visit(Binder{statement, static_cast<int>(i) + 1}, values[i]);
    if (code != SQLITE_OK) return SqliteError(connection_, code, file_);
  }
  const StatementRow view(statement);
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (row) row(view);
  }
  if (code != SQLITE_DONE) return SqliteError(connection_, code, file_);
  return {};
}

}  // namespace slipway
