// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/staging.h"
#include "imagebuilder/tar.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

std::span<const std::byte> AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

Result<void> CopyBlob(int to, const BlobStore& blobs, const Digest& digest, std::int64_t size) {
  const std::string path = TRY(blobs.Path(digest)).string();
  const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return SystemError(path, errno);
  std::vector<std::byte> piece(kPieceBytes);
  Sha256 content;
  std::int64_t copied = 0;
  for (;;) {
    const ssize_t got = ::read(from.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(path, errno);
    if (got == 0) break;
    const auto bytes = std::span<const std::byte>(piece).first(static_cast<std::size_t>(got));
    content.Update(bytes);
    copied += got;
    if (copied > size) break;
    TRY(WriteAll(to, bytes));
  }
  if (copied != size || content.Finish() != digest) {
    return Damaged(fmt::format("blob {} no longer has the content of its digest", digest.text()));
  }
  return {};
}

Result<void> WriteFolders(int to, const std::string& path, std::set<std::string>& written) {
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string folder = path.substr(0, at);
    if (!written.insert(folder).second) continue;
    TRY(WriteAll(
        to, AsBytes(TarHeader({.path = folder, .kind = FileEntry::Kind::kFolder, .mode = 0755}))));
  }
  return {};
}

Result<void> WriteMember(int to, const BlobStore& blobs, const OutputFile& file) {
  if (file.blob.empty()) {
    const auto size = static_cast<std::int64_t>(file.text.size());
    TRY(WriteAll(to, AsBytes(TarHeader({.path = file.path, .size = size}))));
    TRY(WriteAll(to, AsBytes(file.text)));
    return WriteAll(to, TarPadding(size));
  }
  const Digest digest = TRY(Digest::Parse(file.blob));
  const std::int64_t size = TRY(blobs.Size(digest));
  TRY(WriteAll(to, AsBytes(TarHeader({.path = file.path, .size = size}))));
  TRY(CopyBlob(to, blobs, digest, size));
  return WriteAll(to, TarPadding(size));
}

}  // namespace

Result<void> WriteArchive(const BlobStore& blobs, std::vector<OutputFile> files,
                          const std::filesystem::path& destination) {
  const auto staging = TRY(Staging::Make(destination));
  const UniqueFd archive(
      ::open(staging->path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!archive) return SystemError(destination.string(), errno);
  std::ranges::sort(files, {}, &OutputFile::path);
  std::set<std::string> folders;
  std::string last;
  for (const OutputFile& file : files) {
    if (file.path == last) continue;
    TRY(WriteFolders(archive.get(), file.path, folders));
    TRY(WriteMember(archive.get(), blobs, file));
    last = file.path;
  }
  TRY(WriteAll(archive.get(), TarEnd()));
  if (::fsync(archive.get()) != 0) return SystemError(destination.string(), errno);
  return staging->Commit();
}

}  // namespace slipway::imagebuilder
