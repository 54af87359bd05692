// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "imagebuilder/tar.h"

namespace slipway::imagebuilder {

/// Compresses bytes to gzip in members of one MiB each, on several threads. The result depends
/// on the bytes alone. Not thread-safe. Source: RFC 1952.
class GzipWriter {
 public:
  /// `members_max`: that are compressed at a time; 0: what suits the cores.
  explicit GzipWriter(ByteSink sink, std::size_t members_max = 0);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  Result<void> Write(std::span<const std::byte> bytes);
  /// Ends the stream; nothing may be written afterwards.
  Result<void> Finish();

 private:
  using Bytes = std::vector<std::byte>;
  Result<void> StartMember();
  Result<void> TakeMember();

  ByteSink sink_;
  std::size_t members_max_;
  Bytes block_;
  std::deque<std::future<Result<Bytes>>> members_;
  bool empty_ = true;
};

/// Decompresses gzip of any number of members, piece by piece. Not thread-safe.
class GunzipReader {
 public:
  /// `compressed` must outlive the reader.
  explicit GunzipReader(std::span<const std::byte> compressed);
  ~GunzipReader();
  GunzipReader(const GunzipReader&) = delete;
  GunzipReader& operator=(const GunzipReader&) = delete;
  /// The next bytes, valid until the next call; empty at the end. kDataLoss for bytes that are
  /// no gzip or are cut short.
  Result<std::span<const std::byte>> Next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::imagebuilder
