// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace slipway::imagebuilder {

/// Gives bytes in order, valid until the next call; empty at the end.
using ByteSource = std::function<Result<std::span<const std::byte>>()>;

/// A member of an archive that was read.
struct TarEntry {
  enum class Kind : std::uint8_t { kFile, kFolder, kSymlink, kHardlink };
  std::string path;  ///< relative, plain components; empty for the root itself
  Kind kind = Kind::kFile;
  unsigned mode = 0;
  std::int64_t size = 0;
  std::string link_target = {};  ///< of a hard link: a path like `path`
  bool has_owner_or_time = false;
};

/// Reads an untrusted tar archive. Refuses with kDataLoss (id `Image.Damaged`) what no layer may
/// hold: device nodes, pipes, sockets, set-id bits, paths that are absolute or leave the root,
/// more entries or bytes than the limits allow. Not thread-safe.
class TarReader {
 public:
  explicit TarReader(ByteSource source);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  /// The next entry; nothing at the end.
  Result<std::optional<TarEntry>> Next();
  /// The next bytes of the entry's content; 0 at its end.
  Result<std::size_t> Read(std::span<std::byte> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::imagebuilder
