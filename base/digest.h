// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

/// A SHA-256 content digest as OCI writes it: `sha256:` and 64 lower-case hex digits.
/// Source: OCI image-spec, descriptor.md, "Digests".
class Digest {
 public:
  /// kInvalidArgument unless `text` is `sha256:` and 64 lower-case hex digits.
  static Result<Digest> Parse(std::string_view text);
  static Digest OfBytes(std::span<const std::byte> bytes);
  static Digest OfText(std::string_view text);
  /// Reads the whole file in blocks.
  static Result<Digest> OfFile(const std::filesystem::path& path);

  const std::string& text() const { return text_; }  ///< `sha256:ab12…`
  std::string_view hex() const { return std::string_view(text_).substr(7); }
  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;

 private:
  friend class Sha256;
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// SHA-256 over bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(std::span<const std::byte> bytes);
  /// Ends the stream; the object must not be used afterwards.
  Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway
