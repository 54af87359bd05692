// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/unit.h"

namespace slipway {

/// A value bound to a statement.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;

/// A row of a result. Valid during the callback it is given to.
class Row {
 public:
  virtual ~Row() = default;
  virtual std::int64_t Int(int column) const = 0;
  virtual double Real(int column) const = 0;
  virtual std::string Text(int column) const = 0;
  virtual bool IsNull(int column) const = 0;
};

/// One SQLite file: WAL, foreign keys on, full sync, busy timeout, prepared statements kept.
/// Thread-safe: one connection behind one mutex, held for a statement or a transaction. Several
/// processes may have the file open; one that waits too long for another gets kUnavailable
/// (id `State.Busy`).
///
/// Every call may fail with kResourceExhausted (id `State.DiskFull` or `State.WriteFailed`),
/// kPermissionDenied (id `State.ReadOnly`) or kDataLoss (id `State.Damaged`); each names the file.
class Database {
 public:
  /// Makes the file, readable by its owner alone, where there is none. kFailedPrecondition (id
  /// `State.Newer`) if a newer release has written it, kDataLoss (id `State.Damaged`) if it is no
  /// database, kFailedPrecondition (id `State.Foreign`) if it is another program's.
  static Result<std::unique_ptr<Database>> Open(const std::filesystem::path& file);
  virtual ~Database() = default;

  /// The file as it was given to Open.
  virtual const std::filesystem::path& file() const = 0;
  /// Brings `module`'s part of the schema up to date: files `NNNN_what.sql`, each applied once,
  /// in order, in one transaction. kFailedPrecondition (id `State.Newer`) if the database has
  /// more of them than `migrations`; kInternal if one that was applied has changed since.
  virtual Result<void> Migrate(std::string_view module,
                               std::span<const EmbeddedFile> migrations) = 0;
  /// Runs one statement and says how many rows it changed. kAlreadyExists on a unique constraint,
  /// kFailedPrecondition on a foreign key, kInvalidArgument on any other constraint.
  virtual Result<std::int64_t> Execute(std::string_view sql,
                                       std::span<const SqlValue> values = {}) = 0;
  /// Runs one statement and gives each of its rows to `row`, which may use this database.
  virtual Result<void> Query(std::string_view sql, std::span<const SqlValue> values,
                             const std::function<void(const Row&)>& row) = 0;
  /// Everything `body` does on this database, on this thread, or nothing of it if it fails.
  /// BEGIN IMMEDIATE; a transaction inside is part of the outer one, and undone alone if it fails.
  virtual Result<void> Transaction(const std::function<Result<void>()>& body) = 0;
};

}  // namespace slipway
