// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "registry/db.h"

struct sqlite3;
struct sqlite3_stmt;

namespace slipway {

struct StatementCloser {
  void operator()(sqlite3_stmt* statement) const;
};

/// The prepared statements of a connection by their text. Not thread-safe.
class StatementCache {
 public:
  /// The connection must outlive the cache.
  StatementCache(sqlite3* connection, std::filesystem::path file)
      : connection_(connection), file_(std::move(file)) {}
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  /// Runs `sql` to its end. A statement that is running already is prepared a second time.
  Result<void> Run(std::string_view sql, std::span<const SqlValue> values,
                   const std::function<void(const Row&)>& row);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Statements = std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, StatementCloser>,
                                        Hash, std::equal_to<>>;
  class Loan;

  Result<Statements::node_type> Take(std::string_view sql);

  sqlite3* connection_;
  std::filesystem::path file_;
  Statements idle_;
};

}  // namespace slipway
