// SPDX-License-Identifier: Apache-2.0
#include "base/blob_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::int64_t kWritebackBytes = 4 << 20;

fs::path ContentFolder(const fs::path& store) { return store / "sha256"; }
fs::path TempFolder(const fs::path& store) { return store / "tmp"; }

fs::path BlobPath(const fs::path& store, const Digest& digest) {
  const std::string_view hex = digest.hex();
  return ContentFolder(store) / hex.substr(0, 2) / hex.substr(2);
}

Error NotFound(const Digest& digest) {
  return Error{.code = Code::kNotFound,
               .message = fmt::format("blob {} does not exist", digest.text()),
               .id = "Blob.NotFound"};
}

Error Damaged(const Digest& digest) {
  return Error{
      .code = Code::kDataLoss,
      .message = fmt::format("blob {} no longer has the content of its digest", digest.text()),
      .id = "Blob.Damaged",
      .fix = "store the content again"};
}

bool Lock(int fd, int operation) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

/// Keeps collection and commits of one store apart, between threads and processes.
Result<UniqueFd> LockStore(const fs::path& store, int operation) {
  const fs::path folder = ContentFolder(store);
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || !Lock(fd.get(), operation)) {
    return SystemError(fmt::format("cannot lock {}", folder.string()), errno);
  }
  return fd;
}

/// A new file whose lock says that a process still writes it.
Result<UniqueFd> CreateLocked(const fs::path& path) {
  while (true) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return SystemError(fmt::format("cannot create {}", path.string()), errno);
    struct stat info {};
    if (!Lock(fd.get(), LOCK_EX) || ::fstat(fd.get(), &info) != 0) {
      return SystemError(fmt::format("cannot lock {}", path.string()), errno);
    }
    // Another process may have taken the file for a leftover before it was locked.
    if (info.st_nlink > 0) return fd;
  }
}

/// Removes the temporary files that nobody holds a lock on.
Result<void> RemoveLeftovers(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const UniqueFd fd(::open(at->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd && Lock(fd.get(), LOCK_EX | LOCK_NB)) ::unlink(at->path().c_str());
  }
  if (error) {
    return SystemError(fmt::format("cannot list {}", folder.string()), error.value());
  }
  return {};
}

class FileWriter final : public BlobStore::Writer {
 public:
  FileWriter(fs::path store, fs::path temporary, UniqueFd fd, std::optional<Digest> expected,
             std::int64_t max_bytes)
      : store_(std::move(store)),
        temporary_(std::move(temporary)),
        fd_(std::move(fd)),
        expected_(std::move(expected)),
        max_bytes_(max_bytes) {}
  ~FileWriter() override {
    if (fd_) ::unlink(temporary_.c_str());
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  Result<void> Write(std::span<const std::byte> bytes) override {
    if (state_ != State::kOpen) return Unusable();
    if (std::cmp_greater(bytes.size(), max_bytes_ - size_)) {
      state_ = State::kFailed;
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("blob has more than {} bytes", max_bytes_),
                   .id = "Blob.TooLarge"};
    }
    Result<void> written = WriteAll(fd_.get(), bytes);
    if (!written) {
      state_ = State::kFailed;
      return Within(fmt::format("storing a blob in {}", store_.string()),
                    std::move(written).error());
    }
    hash_.Update(bytes);
    size_ += static_cast<std::int64_t>(bytes.size());
    StartWriteback();
    return {};
  }

  Result<BlobStore::Stored> Commit() override {
    if (state_ != State::kOpen) return Unusable();
    state_ = State::kFailed;
    const Digest digest = hash_.Finish();
    if (expected_ && *expected_ != digest) {
      return Error{.code = Code::kDataLoss,
                   .message = fmt::format("content has digest {}, expected {}", digest.text(),
                                          expected_->text()),
                   .id = "Blob.DigestMismatch"};
    }
    Result<void> published = Publish(digest);
    if (!published) {
      return Within(fmt::format("storing blob {}", digest.text()), std::move(published).error());
    }
    state_ = State::kCommitted;
    return BlobStore::Stored{.digest = digest, .size = size_};
  }

 private:
  enum class State : std::uint8_t { kOpen, kFailed, kCommitted };

  static Error Unusable() {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "the blob was committed or has failed before"};
  }

  /// Lets the disk begin while more is to come, so that the sync at the end finds little to do. A
  /// hint: what fails here is met by the sync.
  void StartWriteback() {
    if (size_ - written_back_ < kWritebackBytes) return;
    ::sync_file_range(fd_.get(), written_back_, size_ - written_back_, SYNC_FILE_RANGE_WRITE);
    written_back_ = size_;
  }

  Result<void> Publish(const Digest& digest) {
    if (::fchmod(fd_.get(), 0444) != 0) return SystemError("cannot set the mode", errno);
    if (::fsync(fd_.get()) != 0) return SystemError("cannot sync", errno);
    const fs::path target = BlobPath(store_, digest);
    const UniqueFd lock = TRY(LockStore(store_, LOCK_SH));
    TRY(MakeFolders(target.parent_path()));
    // Sets the time that collection looks at, also where the write itself was long ago.
    if (::futimens(fd_.get(), nullptr) != 0) return SystemError("cannot set the time", errno);
    if (::rename(temporary_.c_str(), target.c_str()) != 0) {
      return SystemError(fmt::format("cannot rename to {}", target.string()), errno);
    }
    fd_ = UniqueFd();
    TRY(SyncFolder(target.parent_path()));
    return SyncFolder(ContentFolder(store_));
  }

  fs::path store_;
  fs::path temporary_;
  UniqueFd fd_;
  std::optional<Digest> expected_;
  std::int64_t max_bytes_;
  std::int64_t size_ = 0;
  std::int64_t written_back_ = 0;
  Sha256 hash_;
  State state_ = State::kOpen;
};

/// Size of a blob's file, if it is there.
std::optional<struct stat> StatBlob(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return info;
}

std::chrono::nanoseconds Age(const struct stat& info) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::seconds(now.tv_sec - info.st_mtim.tv_sec) +
         std::chrono::nanoseconds(now.tv_nsec - info.st_mtim.tv_nsec);
}

/// Removes one blob if it is old enough; says how many bytes that freed.
Result<std::int64_t> Collect(const fs::path& store, const fs::path& blob,
                             std::int64_t grace_seconds) {
  const UniqueFd lock = TRY(LockStore(store, LOCK_EX));
  const std::optional<struct stat> info = StatBlob(blob);
  if (!info || Age(*info) <= std::chrono::seconds(grace_seconds)) return std::int64_t{0};
  if (::unlink(blob.c_str()) != 0) {
    return SystemError(fmt::format("cannot remove {}", blob.string()), errno);
  }
  return static_cast<std::int64_t>(info->st_size);
}

/// Every blob of the store; files that are none are passed over.
Result<std::vector<std::pair<Digest, fs::path>>> ListBlobs(const fs::path& store) {
  std::vector<std::pair<Digest, fs::path>> blobs;
  std::error_code error;
  fs::recursive_directory_iterator at(ContentFolder(store), error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at.depth() != 1) continue;
    const std::string hex =
        at->path().parent_path().filename().string() + at->path().filename().string();
    Result<Digest> digest = Digest::Parse("sha256:" + hex);
    if (digest) blobs.emplace_back(*std::move(digest), at->path());
  }
  if (error) return SystemError(fmt::format("cannot list {}", store.string()), error.value());
  return blobs;
}

}  // namespace

Result<std::unique_ptr<BlobStore>> BlobStore::Open(const fs::path& folder) {
  TRY(MakeFolders(ContentFolder(folder)));
  TRY(MakeFolders(TempFolder(folder)));
  TRY(RemoveLeftovers(TempFolder(folder)));
  return std::unique_ptr<BlobStore>(new BlobStore(folder));
}

Result<std::unique_ptr<BlobStore::Writer>> BlobStore::NewWriter(std::optional<Digest> expected,
                                                                std::int64_t max_bytes) {
  if (max_bytes < 0) max_bytes = limits::kBlobBytes;
  fs::path temporary = TempFolder(folder_) / RandomHex(16);
  UniqueFd fd = TRY(CreateLocked(temporary));
  return std::unique_ptr<Writer>(std::make_unique<FileWriter>(
      folder_, std::move(temporary), std::move(fd), std::move(expected), max_bytes));
}

Result<BlobStore::Stored> BlobStore::PutBytes(std::span<const std::byte> bytes) {
  const std::unique_ptr<Writer> writer = TRY(NewWriter());
  TRY(writer->Write(bytes));
  return writer->Commit();
}

Result<BlobStore::Stored> BlobStore::PutText(std::string_view text) {
  return PutBytes(std::as_bytes(std::span(text.data(), text.size())));
}

Result<BlobStore::Stored> BlobStore::PutFile(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError(fmt::format("cannot open {}", file.string()), errno);
  const std::unique_ptr<Writer> writer = TRY(NewWriter());
  std::vector<std::byte> block(kBlockBytes);
  while (true) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got == 0) return writer->Commit();
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(fmt::format("cannot read {}", file.string()), errno);
    TRY(writer->Write(std::span(block).first(static_cast<std::size_t>(got))));
  }
}

bool BlobStore::Has(const Digest& digest) const {
  return StatBlob(BlobPath(folder_, digest)).has_value();
}

Result<std::int64_t> BlobStore::Size(const Digest& digest) const {
  const std::optional<struct stat> info = StatBlob(BlobPath(folder_, digest));
  if (!info) return NotFound(digest);
  return static_cast<std::int64_t>(info->st_size);
}

Result<fs::path> BlobStore::Path(const Digest& digest) const {
  if (!Has(digest)) return NotFound(digest);
  return BlobPath(folder_, digest);
}

Result<std::string> BlobStore::ReadVerified(const Digest& digest, std::int64_t max_bytes) const {
  const fs::path path = TRY(Path(digest));
  std::string content = TRY(ReadFile(path, max_bytes));
  if (Digest::OfText(content) != digest) return Damaged(digest);
  return content;
}

Result<void> BlobStore::Verify(const Digest& digest) const {
  const fs::path path = TRY(Path(digest));
  const Digest actual = TRY(Digest::OfFile(path));
  if (actual != digest) return Damaged(digest);
  return {};
}

Result<std::int64_t> BlobStore::CollectGarbage(const std::set<Digest>& keep,
                                               std::int64_t grace_seconds) {
  std::int64_t freed = 0;
  for (const auto& [digest, path] : TRY(ListBlobs(folder_))) {
    if (!keep.contains(digest)) freed += TRY(Collect(folder_, path, grace_seconds));
  }
  return freed;
}

}  // namespace slipway
