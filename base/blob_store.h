// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "base/digest.h"
#include "base/file.h"
#include "base/result.h"

namespace slipway {

/// A content-addressed store in a folder: `sha256/ab/cdef…`. A blob is there whole or not at
/// all: written to a temporary file, hashed on the way, fsynced, renamed; the same content is
/// stored once. Thread-safe, also between processes on one folder.
class BlobStore {
 public:
  /// Creates the folder where needed and removes temporary files a crash has left.
  static Result<std::unique_ptr<BlobStore>> Open(const std::filesystem::path& folder);

  struct Stored {
    Digest digest;
    std::int64_t size = 0;
  };

  /// A blob being written. Dropped without Commit, it leaves nothing behind. Not thread-safe.
  class Writer {
   public:
    virtual ~Writer() = default;
    /// kResourceExhausted when the disk is full or the blob grows over its limit.
    virtual Result<void> Write(std::span<const std::byte> bytes) = 0;
    /// Makes the blob durable. kDataLoss (id `Blob.DigestMismatch`) unless the content has the
    /// expected digest, if one was given.
    virtual Result<Stored> Commit() = 0;
  };
  Result<std::unique_ptr<Writer>> NewWriter(std::optional<Digest> expected = std::nullopt,
                                            std::int64_t max_bytes = -1);

  Result<Stored> PutBytes(std::span<const std::byte> bytes);
  Result<Stored> PutText(std::string_view text);
  Result<Stored> PutFile(const std::filesystem::path& file);

  bool Has(const Digest& digest) const;
  /// kNotFound (id `Blob.NotFound`).
  Result<std::int64_t> Size(const Digest& digest) const;
  /// Where the blob's bytes are. The file must not be changed. kNotFound.
  Result<std::filesystem::path> Path(const Digest& digest) const;
  /// The whole blob, verified: kDataLoss (id `Blob.Damaged`) if the content no longer has the
  /// digest.
  Result<std::string> ReadVerified(const Digest& digest, std::int64_t max_bytes) const;
  Result<void> Verify(const Digest& digest) const;
  /// Removes every blob that is not in `keep` and was last written or put more than `grace`
  /// seconds ago; says how many bytes that freed.
  Result<std::int64_t> CollectGarbage(const std::set<Digest>& keep, std::int64_t grace_seconds);

 private:
  explicit BlobStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

}  // namespace slipway
