// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace slipway::imagebuilder {

struct ArchiveReader::State {
  std::string name;
  Pull pull;
  archive* reader = nullptr;
  std::optional<Error> failed;
  std::vector<std::byte> piece = std::vector<std::byte>(std::size_t{256} << 10);
  std::int64_t members = 0, bytes = 0;

  ~State() {
    if (reader != nullptr) archive_read_free(reader);
  }

  static la_ssize_t PullBytes(archive* reader, void* data, const void** buffer) {
    State& state = *static_cast<State*>(data);
    auto bytes = state.pull();
    if (!bytes) {
      state.failed = std::move(bytes).error();
      archive_set_error(reader, EIO, "source failed");
      return -1;
    }
    *buffer = bytes->data();
    return static_cast<la_ssize_t>(bytes->size());
  }

  Error Failure() const {
    if (failed) return *failed;
    const char* why = archive_error_string(reader);
    return {.code = Code::kDataLoss,
            .message = fmt::format("{} cannot be read: {}", name,
                                   why == nullptr ? "no reason known" : why),
            .id = "Image.Package"};
  }
};

namespace {

bool Support(archive* reader, ArchiveReader::Form form) {
  switch (form) {
    case ArchiveReader::Form::kAr:
      return archive_read_support_format_ar(reader) == ARCHIVE_OK;
    case ArchiveReader::Form::kZip:
      return archive_read_support_format_zip(reader) == ARCHIVE_OK;
    case ArchiveReader::Form::kTar:
      // An external program where the library lacks a filter is a warning, not a failure.
      return archive_read_support_format_tar(reader) == ARCHIVE_OK &&
             archive_read_support_filter_gzip(reader) >= ARCHIVE_WARN &&
             archive_read_support_filter_xz(reader) >= ARCHIVE_WARN &&
             archive_read_support_filter_bzip2(reader) >= ARCHIVE_WARN &&
             archive_read_support_filter_zstd(reader) >= ARCHIVE_WARN;
  }
  return false;
}

std::string Either(const char* utf8, const char* local) {
  if (utf8 != nullptr) return utf8;
  return local == nullptr ? std::string() : std::string(local);
}

ArchiveMember::Kind KindOf(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return ArchiveMember::Kind::kHardlink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return ArchiveMember::Kind::kFile;
    case AE_IFDIR:
      return ArchiveMember::Kind::kFolder;
    case AE_IFLNK:
      return ArchiveMember::Kind::kSymlink;
    default:
      return ArchiveMember::Kind::kOther;
  }
}

}  // namespace

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::~ArchiveReader() = default;

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::OpenFile(const std::filesystem::path& file,
                                                               Form form) {
  auto state = std::make_unique<State>();
  state->name = file.filename().string();
  state->reader = archive_read_new();
  if (state->reader == nullptr || !Support(state->reader, form)) {
    return Error{.code = Code::kResourceExhausted, .message = "no memory to read an archive"};
  }
  if (archive_read_open_filename(state->reader, file.c_str(), std::size_t{1} << 20) != ARCHIVE_OK) {
    return state->Failure();
  }
  return std::unique_ptr<ArchiveReader>(new ArchiveReader(std::move(state)));
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::Open(Pull pull, std::string name, Form form) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->pull = std::move(pull);
  state->reader = archive_read_new();
  if (state->reader == nullptr || !Support(state->reader, form)) {
    return Error{.code = Code::kResourceExhausted, .message = "no memory to read an archive"};
  }
  if (archive_read_open(state->reader, state.get(), nullptr, State::PullBytes, nullptr) !=
      ARCHIVE_OK) {
    return state->Failure();
  }
  return std::unique_ptr<ArchiveReader>(new ArchiveReader(std::move(state)));
}

Result<std::optional<ArchiveMember>> ArchiveReader::Next() {
  State& state = *state_;
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(state.reader, &entry);
  if (status == ARCHIVE_EOF) return std::optional<ArchiveMember>();
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return state.Failure();
  if (++state.members > limits::kLayerEntries) {
    return Error{
        .code = Code::kResourceExhausted,
        .message = fmt::format("{} has more than {} members", state.name, limits::kLayerEntries),
        .id = "Image.Package"};
  }
  ArchiveMember member{
      .path = Either(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry)),
      .kind = KindOf(entry),
      .mode = static_cast<unsigned>(archive_entry_perm(entry)) & 07777U,
      .size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1};
  if (member.kind == ArchiveMember::Kind::kHardlink) {
    member.link_target = Either(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
  } else if (member.kind == ArchiveMember::Kind::kSymlink) {
    member.link_target = Either(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry));
  }
  return std::optional<ArchiveMember>(std::move(member));
}

Result<std::span<const std::byte>> ArchiveReader::Read() {
  State& state = *state_;
  const la_ssize_t count = archive_read_data(state.reader, state.piece.data(), state.piece.size());
  if (count < 0) return state.Failure();
  state.bytes += count;
  if (state.bytes > limits::kBlobBytes) {
    return Error{
        .code = Code::kResourceExhausted,
        .message = fmt::format("{} unpacks to more than {} bytes", state.name, limits::kBlobBytes),
        .id = "Image.Package"};
  }
  return std::span<const std::byte>(state.piece).first(static_cast<std::size_t>(count));
}

Result<std::string> ArchiveReader::ReadAll(std::int64_t max_bytes) {
  std::string text;
  while (true) {
    const std::span<const std::byte> bytes = TRY(Read());
    if (bytes.empty()) return text;
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (static_cast<std::int64_t>(text.size()) > max_bytes) {
      return Error{
          .code = Code::kResourceExhausted,
          .message = fmt::format("a member of {} has more than {} bytes", state_->name, max_bytes),
          .id = "Image.Package"};
    }
  }
}

}  // namespace slipway::imagebuilder
