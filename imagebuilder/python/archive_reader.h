// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace slipway::imagebuilder {

/// A member of a package archive as it stands there; nothing is checked but its size.
struct ArchiveMember {
  enum class Kind : unsigned char { kFile, kFolder, kSymlink, kHardlink, kOther };
  std::string path;
  Kind kind = Kind::kFile;
  unsigned mode = 0644;
  std::int64_t size = -1;  ///< -1: not said before the content
  std::string link_target = {};
};

/// Reads packages: the archive inside a .deb, a wheel (zip), a tar with any usual compression.
/// Untrusted bytes: kDataLoss (id `Image.Package`). Not thread-safe.
class ArchiveReader {
 public:
  using Pull = std::function<Result<std::span<const std::byte>>()>;
  enum class Form : unsigned char { kAr, kZip, kTar };
  static Result<std::unique_ptr<ArchiveReader>> OpenFile(const std::filesystem::path& file,
                                                         Form form);
  /// Over bytes from elsewhere.
  static Result<std::unique_ptr<ArchiveReader>> Open(Pull pull, std::string name, Form form);
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;
  Result<std::optional<ArchiveMember>> Next();
  /// The next bytes of the member's content; empty at its end. Valid until the next call.
  Result<std::span<const std::byte>> Read();
  /// The whole content of the member. kResourceExhausted above `max_bytes`.
  Result<std::string> ReadAll(std::int64_t max_bytes);

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace slipway::imagebuilder
