// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "base/temporary_file.h"
#include "base/text.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadBlockBytes = 256 << 10;

Code CodeFromErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return Code::kResourceExhausted;
    case EADDRINUSE:
    case ENOTEMPTY:
    case EBUSY:
    case ETXTBSY:
      return Code::kFailedPrecondition;
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EADDRNOTAVAIL:
      return Code::kInvalidArgument;
    case EAGAIN:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Code::kUnavailable;
    case ETIMEDOUT:
      return Code::kDeadlineExceeded;
    default:
      return Code::kInternal;
  }
}

Error FileError(std::string_view doing, const fs::path& path, int error_number) {
  return SystemError(fmt::format("{} {}", doing, path.string()), error_number);
}

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Writes content to the open temporary file and makes it durable.
Result<void> Fill(const UniqueFd& fd, std::string_view content, unsigned mode) {
  TRY(WriteAll(fd.get(), std::as_bytes(std::span(content.data(), content.size()))));
  if (::fchmod(fd.get(), mode) != 0) return SystemError("cannot set the mode", errno);
  if (::fsync(fd.get()) != 0) return SystemError("cannot sync", errno);
  return {};
}

/// Lets the owner list and change every folder of the tree, so that it can be removed.
void MakeFoldersWritable(const fs::path& root) {
  std::error_code ignored;
  const auto open_up = [&ignored](const fs::path& folder) {
    fs::permissions(folder, fs::perms::owner_all,
                    fs::perm_options::add | fs::perm_options::nofollow, ignored);
    fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, ignored);
  };
  if (fs::symlink_status(root, ignored).type() != fs::file_type::directory) return;
  open_up(root);
  fs::recursive_directory_iterator at(root, ignored);
  for (; at != fs::recursive_directory_iterator(); at.increment(ignored)) {
    if (at->symlink_status(ignored).type() == fs::file_type::directory) open_up(at->path());
  }
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

Error SystemError(std::string_view what, int error_number) {
  const char* text = ::strerrordesc_np(error_number);
  Error error{.code = CodeFromErrno(error_number),
              .message = text != nullptr ? fmt::format("{}: {}", what, text)
                                         : fmt::format("{}: error {}", what, error_number)};
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    error.id = "Disk.Full";
    error.fix = "free space on that disk, or raise its quota";
  }
  return error;
}

Result<std::string> ReadFile(const fs::path& path, std::int64_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return FileError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return FileError("cannot read", path, errno);
  if (S_ISDIR(info.st_mode)) return FileError("cannot read", path, EISDIR);
  std::string content;
  const auto wanted =
      std::clamp<std::int64_t>(info.st_size, 0, std::max<std::int64_t>(max_bytes, 0));
  content.reserve(static_cast<std::size_t>(wanted) + 1);
  while (true) {
    const std::size_t held = content.size();
    content.resize(std::max(content.capacity(), held + (held == 0 ? kReadBlockBytes : 1)));
    const ssize_t got = ::read(fd.get(), content.data() + held, content.size() - held);
    const int error_number = errno;
    content.resize(held + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (std::cmp_greater(content.size(), max_bytes)) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("{} has more than {} bytes", path.string(), max_bytes),
                   .id = "File.TooLarge"};
    }
    if (got == 0) return content;
    if (got < 0 && error_number != EINTR) return FileError("cannot read", path, error_number);
  }
}

Result<void> WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("cannot write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> WriteFileAtomic(const fs::path& path, std::string_view content,
                             const WriteOptions& options) {
  const fs::path temporary = FolderOf(path) / fmt::format("{}{}", kTemporaryPrefix, RandomHex(8));
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return FileError("cannot write", path, errno);
  Result<void> filled = Fill(fd, content, options.mode);
  if (filled && ::close(fd.Release()) != 0) filled = SystemError("cannot close", errno);
  if (filled && ::rename(temporary.c_str(), path.c_str()) != 0) {
    filled = SystemError("cannot rename", errno);
  }
  if (!filled) {
    ::unlink(temporary.c_str());
    return Within(fmt::format("writing {}", path.string()), std::move(filled).error());
  }
  return SyncFolder(FolderOf(path));
}

Result<void> SyncFolder(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return FileError("cannot open", folder, errno);
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return FileError("cannot sync", folder, errno);
  return {};
}

Result<void> MakeFolders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return FileError("cannot create folder", folder, error.value());
  return {};
}

Result<void> RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error == std::errc::permission_denied) {
    MakeFoldersWritable(path);
    fs::remove_all(path, error);
  }
  if (error) return FileError("cannot remove", path, error.value());
  return {};
}

Result<fs::path> MakeTempFolder(const fs::path& parent, std::string_view prefix) {
  std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return FileError("cannot create a folder in", parent, errno);
  }
  return fs::path(name);
}

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return FileError("cannot open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return FileError("cannot read", path, errno);
  if (S_ISDIR(info.st_mode)) return FileError("cannot read", path, EISDIR);
  if (!S_ISREG(info.st_mode)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("{} is not a regular file", path.string())};
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) return FileError("cannot map", path, errno);
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace slipway
