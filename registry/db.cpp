// SPDX-License-Identifier: Apache-2.0
#include "registry/db.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "base/file.h"
#include "registry/migrations.h"
#include "registry/sqlite_error.h"
#include "registry/statement.h"

namespace slipway {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
constexpr std::int64_t kApplicationId = 0x534C5057;  // "SLPW"
constexpr std::int64_t kFormat = 1;
constexpr off_t kHeaderBytes = 512;

struct ConnectionCloser {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, ConnectionCloser>;

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(Connection connection, const std::filesystem::path& file)
      : file_(file), connection_(std::move(connection)), statements_(connection_.get(), file) {}

  /// Checks what the file is before anything of it is changed, then brings it into use.
  Result<void> Start();

  const std::filesystem::path& file() const override { return file_; }
  Result<void> Migrate(std::string_view module, std::span<const EmbeddedFile> migrations) override;
  Result<std::int64_t> Execute(std::string_view sql, std::span<const SqlValue> values) override;
  Result<void> Query(std::string_view sql, std::span<const SqlValue> values,
                     const std::function<void(const Row&)>& row) override;
  Result<void> Transaction(const std::function<Result<void>()>& body) override;

 private:
  class Scope;

  Result<void> Run(std::string_view sql, std::span<const SqlValue> values,
                   const std::function<void(const Row&)>& row);
  Result<void> RunScript(const std::string& script);
  Result<std::int64_t> ReadInt(std::string_view sql);
  Result<void> CheckKind();
  Result<void> UseWal();
  Result<void> CreateTables();
  bool undone() const { return depth_ > 0 && sqlite3_get_autocommit(connection_.get()) != 0; }

  const std::filesystem::path file_;
  std::recursive_mutex mutex_;  // guards all below
  Connection connection_;
  StatementCache statements_;
  int depth_ = 0;
  std::optional<Error> undoing_error_;
};

/// One level of transactions: begun, then committed, else rolled back when it ends.
class SqliteDatabase::Scope {
 public:
  explicit Scope(SqliteDatabase& database) : database_(database), level_(database.depth_) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Result<void> Begin() {
    TRY(database_.Run(level_ == 0 ? "BEGIN IMMEDIATE" : fmt::format("SAVEPOINT level{}", level_),
                      {}, nullptr));
    ++database_.depth_;
    open_ = true;
    return {};
  }
  Result<void> Commit() {
    TRY(database_.Run(level_ == 0 ? "COMMIT" : fmt::format("RELEASE level{}", level_), {},
                      nullptr));
    Close();
    return {};
  }
  ~Scope() {
    if (!open_) return;
    if (!database_.undone()) Rollback();
    Close();
  }

 private:
  void Rollback() {
    if (level_ == 0) {
      static_cast<void>(database_.Run("ROLLBACK", {}, nullptr).has_value());
      return;
    }
    for (const char* verb : {"ROLLBACK TO", "RELEASE"}) {
      const std::string sql = fmt::format("{} level{}", verb, level_);
      static_cast<void>(database_.Run(sql, {}, nullptr).has_value());
    }
  }
  void Close() {
    open_ = false;
    --database_.depth_;
    if (database_.depth_ == 0) database_.undoing_error_.reset();
  }

  SqliteDatabase& database_;
  int level_;
  bool open_ = false;
};

Result<void> SqliteDatabase::Run(std::string_view sql, std::span<const SqlValue> values,
                                 const std::function<void(const Row&)>& row) {
  if (undone()) {
    if (undoing_error_) return *undoing_error_;
    return Error{.code = Code::kInternal,
                 .message = fmt::format("{}: the transaction has ended early", file_.string())};
  }
  auto ran = statements_.Run(sql, values, row);
  if (!ran && undone() && !undoing_error_) undoing_error_ = ran.error();
  return ran;
}

Result<std::int64_t> SqliteDatabase::Execute(std::string_view sql,
                                             std::span<const SqlValue> values) {
  const std::scoped_lock lock(mutex_);
  const std::int64_t before = sqlite3_total_changes64(connection_.get());
  TRY(Run(sql, values, nullptr));
  if (sqlite3_total_changes64(connection_.get()) == before) return std::int64_t{0};
  return std::int64_t{sqlite3_changes64(connection_.get())};
}

Result<void> SqliteDatabase::Query(std::string_view sql, std::span<const SqlValue> values,
                                   const std::function<void(const Row&)>& row) {
  const std::scoped_lock lock(mutex_);
  return Run(sql, values, row);
}

Result<void> SqliteDatabase::Transaction(const std::function<Result<void>()>& body) {
  const std::scoped_lock lock(mutex_);
  Scope scope(*this);
  TRY(scope.Begin());
  TRY(body());
  return scope.Commit();
}

Result<void> SqliteDatabase::Migrate(std::string_view module,
                                     std::span<const EmbeddedFile> migrations) {
  const std::scoped_lock lock(mutex_);
  return ApplyMigrations(*this, module, migrations, [this](std::string_view script) {
    return RunScript(std::string(script));
  });
}

Result<void> SqliteDatabase::RunScript(const std::string& script) {
  const int code = sqlite3_exec(connection_.get(), script.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    Error error = SqliteError(connection_.get(), code, file_);
    if (undone() && !undoing_error_) undoing_error_ = error;
    return error;
  }
  return {};
}

Result<std::int64_t> SqliteDatabase::ReadInt(std::string_view sql) {
  std::int64_t value = 0;
  TRY(Run(sql, {}, [&](const Row& row) { value = row.Int(0); }));
  return value;
}

Result<void> SqliteDatabase::CheckKind() {
  const std::int64_t tables = TRY(ReadInt("SELECT count(*) FROM sqlite_schema"));
  const std::int64_t application = TRY(ReadInt("PRAGMA application_id"));
  const std::int64_t format = TRY(ReadInt("PRAGMA user_version"));
  if (application != kApplicationId && (application != 0 || tables != 0)) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("{}: is another program's database", file_.string()),
                 .id = "State.Foreign",
                 .fix = "name another state folder"};
  }
  if (format > kFormat) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("{}: has state format {}; this is slipway {}, which knows "
                                        "format {}",
                                        file_.string(), format, SLIPWAY_VERSION, kFormat),
                 .id = "State.Newer",
                 .fix = "use the newer slipway that wrote it, or another state folder"};
  }
  return {};
}

Result<void> SqliteDatabase::UseWal() {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyTimeoutMs);
  for (;;) {
    std::string mode;
    auto ran = Run("PRAGMA journal_mode = WAL", {}, [&](const Row& row) { mode = row.Text(0); });
    if (ran && mode == "wal") return {};
    if (ran) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = fmt::format("{}: its file system has no shared memory for a "
                                          "write-ahead log (journal mode {})",
                                          file_.string(), mode),
                   .id = "State.FileSystem",
                   .fix = "put the state folder on a local disk"};
    }
    if (ran.error().code != Code::kUnavailable || std::chrono::steady_clock::now() > give_up) {
      return ran;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Result<void> SqliteDatabase::CreateTables() {
  return Transaction([this]() -> Result<void> {
    if (TRY(ReadInt("PRAGMA user_version")) != 0) return {};
    TRY(
        Execute("CREATE TABLE schema_migrations (module TEXT NOT NULL, number INTEGER NOT NULL, "
                "name TEXT NOT NULL, checksum TEXT NOT NULL, release TEXT NOT NULL, "
                "PRIMARY KEY (module, number)) STRICT, WITHOUT ROWID",
                {}));
    TRY(Execute(fmt::format("PRAGMA application_id = {}", kApplicationId), {}));
    TRY(Execute(fmt::format("PRAGMA user_version = {}", kFormat), {}));
    return {};
  });
}

Result<void> SqliteDatabase::Start() {
  sqlite3* connection = connection_.get();
  sqlite3_busy_timeout(connection, kBusyTimeoutMs);
  for (const int option : {SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_DEFENSIVE}) {
    sqlite3_db_config(connection, option, 1, nullptr);
  }
  for (const int option : {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DDL,
                           SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION}) {
    sqlite3_db_config(connection, option, 0, nullptr);
  }
  TRY(CheckKind());
  if (sqlite3_db_readonly(connection, "main") != 0) {
    return SqliteError(connection, SQLITE_READONLY, file_);
  }
  TRY(UseWal());
  for (const char* pragma : {"PRAGMA synchronous = FULL", "PRAGMA cell_size_check = ON",
                             "PRAGMA journal_size_limit = 67108864"}) {
    TRY(Run(pragma, {}, nullptr));
  }
  if (TRY(ReadInt("PRAGMA user_version")) == 0) TRY(CreateTables());
  return {};
}

/// SQLite takes a file too short for its header as an empty one, and would write over it.
Result<void> CheckNotCutShort(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return SystemError(file.string(), errno);
  if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size >= kHeaderBytes) return {};
  return SqliteError(nullptr, SQLITE_NOTADB, file);
}

/// Makes the empty file itself, so that what it will hold is its owner's alone.
Result<void> CreatePrivately(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return errno == EEXIST ? Result<void>() : SystemError(file.string(), errno);
  const std::filesystem::path folder = file.parent_path();
  return SyncFolder(folder.empty() ? "." : folder);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& file) {
  TRY(CreatePrivately(file));
  TRY(CheckNotCutShort(file));
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Connection connection(raw);
  if (code != SQLITE_OK) return SqliteError(raw, code, file);
  auto database = std::make_unique<SqliteDatabase>(std::move(connection), file);
  TRY(database->Start());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace slipway
