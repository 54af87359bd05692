// SPDX-License-Identifier: Apache-2.0
#include "registry/sqlite_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string>

#include "base/file.h"

namespace slipway {
namespace {

Error Full(const std::string& file, const char* why) {
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("{}: {}", file, why),
          .id = "State.DiskFull",
          .fix = "free space on the disk that holds the state folder"};
}

Error Damaged(const std::string& file, const char* why) {
  return {.code = Code::kDataLoss,
          .message = fmt::format("{}: {}", file, why),
          .id = "State.Damaged",
          .fix = "restore the file from a backup, or start with another state folder"};
}

Error Io(const std::string& file, int code, const char* why, int system_error) {
  if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ ||
      code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA) {
    return Damaged(file, why);
  }
  std::string message = fmt::format("{}: {}", file, why);
  if (system_error != 0) message = SystemError(message, system_error).message;
  return {.code = Code::kResourceExhausted,
          .message = message,
          .id = "State.WriteFailed",
          .fix = "check the disk that holds the state folder, and its space and quotas"};
}

Error Constraint(const std::string& file, int code, const char* why) {
  Code kind = Code::kInvalidArgument;
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
      code == SQLITE_CONSTRAINT_ROWID) {
    kind = Code::kAlreadyExists;
  } else if (code == SQLITE_CONSTRAINT_FOREIGNKEY || code == SQLITE_CONSTRAINT_TRIGGER) {
    kind = Code::kFailedPrecondition;
  }
  return {.code = kind, .message = fmt::format("{}: {}", file, why)};
}

Error CannotOpen(const std::string& file, const char* why, int system_error) {
  if (system_error != 0) return SystemError(file, system_error);
  return {.code = Code::kPermissionDenied, .message = fmt::format("{}: {}", file, why)};
}

Error ReadOnly(const std::string& file, int code) {
  if (code == SQLITE_READONLY_DBMOVED) {
    return {.code = Code::kFailedPrecondition,
            .message = fmt::format("{}: was removed or replaced while it was open", file),
            .id = "State.Replaced",
            .fix = "stop the service and start it again"};
  }
  return {.code = Code::kPermissionDenied,
          .message = fmt::format("{}: is read-only", file),
          .id = "State.ReadOnly",
          .fix = "make the file and its folder writable for this user"};
}

}  // namespace

Error SqliteError(sqlite3* connection, int code, const std::filesystem::path& path) {
  const std::string file = path.string();
  const char* why = connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection);
  const int system_error = connection == nullptr ? 0 : sqlite3_system_errno(connection);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Full(file, why);
    case SQLITE_IOERR:
      return Io(file, code, why, system_error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(file, why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {.code = Code::kUnavailable,
              .message = fmt::format("{}: another process keeps it locked", file),
              .id = "State.Busy",
              .fix = "try again, or stop the other process that uses this state folder"};
    case SQLITE_NOMEM:
      return {.code = Code::kResourceExhausted, .message = fmt::format("{}: {}", file, why)};
    case SQLITE_READONLY:
      return ReadOnly(file, code);
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {.code = Code::kPermissionDenied, .message = fmt::format("{}: {}", file, why)};
    case SQLITE_CANTOPEN:
      return CannotOpen(file, why, system_error);
    case SQLITE_CONSTRAINT:
      return Constraint(file, code, why);
    case SQLITE_TOOBIG:
      return {.code = Code::kInvalidArgument, .message = fmt::format("{}: {}", file, why)};
    default:
      return {.code = Code::kInternal, .message = fmt::format("{}: {} ({})", file, why, code)};
  }
}

}  // namespace slipway
