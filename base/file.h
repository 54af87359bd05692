// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

/// A file descriptor that closes itself. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Error for a failed system call: code from errno (ENOENT kNotFound, EEXIST kAlreadyExists,
/// EACCES/EPERM kPermissionDenied, ENOSPC/EDQUOT/EFBIG kResourceExhausted with id `Disk.Full`,
/// ENOMEM/EMFILE kResourceExhausted, EADDRINUSE kFailedPrecondition, ...) and a message
/// `WHAT: strerror`.
Error SystemError(std::string_view what, int error_number);

/// Whole file as text. kResourceExhausted if it has more than `max_bytes`.
Result<std::string> ReadFile(const std::filesystem::path& path, std::int64_t max_bytes);

/// Writes all bytes to `fd`, over short writes and EINTR.
Result<void> WriteAll(int fd, std::span<const std::byte> bytes);

struct WriteOptions {
  unsigned mode = 0644;  ///< exact permission bits, whatever the umask
};

/// Replaces `path` so that a reader or a crash sees the old or the new content, whole:
/// temporary file beside it, fsync, rename, fsync of the folder.
Result<void> WriteFileAtomic(const std::filesystem::path& path, std::string_view content,
                             const WriteOptions& options = {});

/// fsync of a folder, which makes renames and new names in it durable.
Result<void> SyncFolder(const std::filesystem::path& folder);

/// Creates the folder and its parents.
Result<void> MakeFolders(const std::filesystem::path& folder);

/// Removes a file or folder tree; nothing there is no error.
Result<void> RemoveTree(const std::filesystem::path& path);

/// A new empty folder under `parent` whose name begins with `prefix`.
Result<std::filesystem::path> MakeTempFolder(const std::filesystem::path& parent,
                                             std::string_view prefix);

/// A file mapped into memory for reading. Shared ownership; the pages live as long as a copy.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace slipway
