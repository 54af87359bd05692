// SPDX-License-Identifier: Apache-2.0
#include "cli/download.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>

#include "base/file.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct CloseArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<archive, CloseArchive>;

Error Damaged(const fs::path& archive, const std::string& why) {
  return Error{.code = Code::kDataLoss,
               .message = "archive " + archive.string() + ": " + why,
               .id = "Response.Invalid"};
}

Result<UniqueFd> NewFile(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return SystemError(file.string(), errno);
  return fd;
}

Result<void> CopyEntry(archive* reader, const fs::path& archive_path, const fs::path& file) {
  const UniqueFd fd = TRY(NewFile(file));
  std::array<std::byte, 1 << 16> buffer;
  while (true) {
    const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
    if (count < 0) return Damaged(archive_path, archive_error_string(reader));
    if (count == 0) return {};
    TRY(WriteAll(fd.get(), std::span(buffer).first(static_cast<std::size_t>(count))));
  }
}

Result<void> UnpackInto(const fs::path& archive_path, const fs::path& folder) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), archive_path.c_str(), 1 << 16) != ARCHIVE_OK) {
    return Damaged(archive_path, archive_error_string(reader.get()));
  }
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return Damaged(archive_path, archive_error_string(reader.get()));
    const char* name = archive_entry_pathname(entry);
    std::string path = name == nullptr ? "" : name;
    while (path.ends_with('/')) path.pop_back();
    if (path == "." || path == "./") continue;
    TRY(CheckPathInside(path));
    if (archive_entry_filetype(entry) == AE_IFDIR) {
      TRY(MakeFolders(folder / path));
    } else if (archive_entry_filetype(entry) == AE_IFREG &&
               archive_entry_hardlink(entry) == nullptr) {
      TRY(MakeFolders((folder / path).parent_path()));
      TRY(CopyEntry(reader.get(), archive_path, folder / path));
    } else {
      return Damaged(archive_path, "'" + path + "' is neither file nor folder");
    }
  }
}

}  // namespace

Result<void> CheckPathInside(std::string_view path) {
  const fs::path parsed(path);
  bool inside = !path.empty() && parsed.is_relative();
  for (const fs::path& part : parsed) inside = inside && part != "..";
  if (inside) return {};
  return Error{.code = Code::kDataLoss,
               .message = "path '" + std::string(path) + "' leaves its folder",
               .id = "Response.Invalid"};
}

Result<void> DownloadFile(Remote& remote, const std::string& target, const fs::path& file,
                          const std::optional<Digest>& digest) {
  const UniqueFd fd = TRY(NewFile(file));
  Sha256 hash;
  auto received = remote.Download(target, [&](std::span<const std::byte> bytes) {
    hash.Update(bytes);
    return WriteAll(fd.get(), bytes);
  });
  if (received && ::fsync(fd.get()) != 0) received = SystemError(file.string(), errno);
  const Digest actual = hash.Finish();
  if (received && digest && actual != *digest) {
    received = Error{.code = Code::kDataLoss,
                     .message = file.filename().string() + " came as " + actual.text() +
                                ", it should be " + digest->text(),
                     .id = "Blob.DigestMismatch"};
  }
  if (!received) TRY(RemoveTree(file));
  return received;
}

Result<void> UnpackTar(const fs::path& archive, const fs::path& folder) {
  TRY(MakeFolders(folder));
  auto unpacked = UnpackInto(archive, folder);
  if (!unpacked) TRY(RemoveTree(folder));
  return unpacked;
}

}  // namespace slipway::cli
