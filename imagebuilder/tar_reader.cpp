// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {

struct TarReader::State {
  ByteSource source;
  std::optional<Error> failed;
  archive* reader = nullptr;
  archive_entry* entry = nullptr;
  std::int64_t entries = 0;
  std::int64_t bytes = 0;

  static la_ssize_t Pull(archive* reader, void* data, const void** buffer);
  Error Failure();
};

la_ssize_t TarReader::State::Pull(archive* reader, void* data, const void** buffer) {
  State& state = *static_cast<State*>(data);
  auto piece = state.source();
  if (!piece) {
    state.failed = std::move(piece).error();
    archive_set_error(reader, EIO, "source failed");
    return -1;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Error TarReader::State::Failure() {
  if (failed) return *failed;
  const char* why = archive_error_string(reader);
  return Damaged(fmt::format("the layer is not a valid tar archive: {}",
                             why == nullptr ? "no reason known" : why));
}

namespace {

/// The locale's form where there is one: libarchive keeps a name it cannot convert as UTF-8 only.
std::string_view Either(const char* local, const char* utf8) {
  if (local != nullptr) return local;
  return utf8 == nullptr ? std::string_view() : std::string_view(utf8);
}

/// Drops what means nothing: `./` before, `/` after.
Result<std::string> CleanPath(std::string_view raw) {
  std::string_view path = raw;
  if (path.starts_with('/')) return Damaged(fmt::format("{}: the path is absolute", raw));
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path == ".") path = {};
  if (path.empty() && raw.empty()) return Damaged("the layer has an entry without a path");
  if (path.empty()) return std::string();
  const auto names = SplitPath(path);
  if (!names) return Damaged(names.error().message);
  return std::string(path);
}

Result<TarEntry::Kind> KindOf(archive_entry* entry, std::string_view path) {
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return TarEntry::Kind::kFile;
    case AE_IFDIR:
      return TarEntry::Kind::kFolder;
    case AE_IFLNK:
      return TarEntry::Kind::kSymlink;
    default:
      return Damaged(fmt::format("{}: device nodes, pipes and sockets are refused", path));
  }
}

Result<TarEntry> Convert(archive_entry* raw) {
  TarEntry entry;
  entry.path =
      TRY(CleanPath(Either(archive_entry_pathname(raw), archive_entry_pathname_utf8(raw))));
  const std::string_view hardlink =
      Either(archive_entry_hardlink(raw), archive_entry_hardlink_utf8(raw));
  if (!hardlink.empty()) {
    entry.kind = TarEntry::Kind::kHardlink;
    entry.link_target = TRY(CleanPath(hardlink));
  } else {
    entry.kind = TRY(KindOf(raw, entry.path));
  }
  if (entry.kind == TarEntry::Kind::kSymlink) {
    entry.link_target = Either(archive_entry_symlink(raw), archive_entry_symlink_utf8(raw));
    if (entry.link_target.empty()) {
      return Damaged(fmt::format("{}: the symbolic link has no target", entry.path));
    }
  }
  if (entry.path.empty() && entry.kind != TarEntry::Kind::kFolder) {
    return Damaged("the layer replaces the root folder");
  }
  entry.mode = static_cast<unsigned>(archive_entry_perm(raw)) & 07777U;
  if ((entry.mode & 06000U) != 0) {
    return Damaged(fmt::format("{}: set-id bits are refused", entry.path));
  }
  entry.size = entry.kind == TarEntry::Kind::kFile ? archive_entry_size(raw) : 0;
  entry.has_owner_or_time =
      archive_entry_uid(raw) != 0 || archive_entry_gid(raw) != 0 || archive_entry_mtime(raw) != 0;
  return entry;
}

}  // namespace

TarReader::TarReader(ByteSource source) : state_(std::make_unique<State>()) {
  state_->source = std::move(source);
}

TarReader::~TarReader() {
  if (state_->reader != nullptr) archive_read_free(state_->reader);
}

Result<std::optional<TarEntry>> TarReader::Next() {
  State& state = *state_;
  if (state.reader == nullptr) {
    state.reader = archive_read_new();
    if (state.reader == nullptr || archive_read_support_format_tar(state.reader) != ARCHIVE_OK) {
      return Error{.code = Code::kResourceExhausted, .message = "no memory left to read a layer"};
    }
    if (archive_read_open(state.reader, &state, nullptr, State::Pull, nullptr) != ARCHIVE_OK) {
      return state.Failure();
    }
  }
  const int status = archive_read_next_header(state.reader, &state.entry);
  if (status == ARCHIVE_EOF) return std::optional<TarEntry>();
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return state.Failure();
  if (++state.entries > limits::kLayerEntries) {
    return Damaged(fmt::format("the layer has more than {} entries", limits::kLayerEntries));
  }
  TarEntry entry = TRY(Convert(state.entry));
  if (entry.size < 0 || entry.size > limits::kBlobBytes - state.bytes) {
    return Damaged(fmt::format("{}: the layer's files are larger than {} bytes", entry.path,
                               limits::kBlobBytes));
  }
  state.bytes += entry.size;
  return std::optional<TarEntry>(std::move(entry));
}

Result<std::size_t> TarReader::Read(std::span<std::byte> bytes) {
  const la_ssize_t count = archive_read_data(state_->reader, bytes.data(), bytes.size());
  if (count < 0) return state_->Failure();
  return static_cast<std::size_t>(count);
}

}  // namespace slipway::imagebuilder
