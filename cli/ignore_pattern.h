// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace slipway::cli {

/// A line of an ignore file: which paths it fits. Takes time in proportion to pattern times path,
/// whatever they are. Source: git-scm.com/docs/gitignore, "Pattern format".
class IgnorePattern {
 public:
  /// Nothing for an empty line and a comment. `line` is without its end.
  static std::optional<IgnorePattern> Parse(std::string_view line);

  /// Whether it begins with `!`: what it fits is taken in again.
  bool takes_in() const { return takes_in_; }
  /// `path`: relative to the folder of the ignore file, with `/`.
  bool Fits(std::string_view path, bool is_folder) const;

 private:
  struct Piece {
    enum class Kind : std::uint8_t {
      kOne,      ///< one character of `set`
      kStar,     ///< any but `/`, any number
      kFolders,  ///< whole folders, any number
      kRest,     ///< anything, at least one character
    };
    Kind kind = Kind::kOne;
    std::bitset<256> set = {};
  };
  using Set = std::bitset<256>;
  static std::optional<Set> ReadBracket(std::string_view pattern, std::size_t& at);
  static std::optional<std::vector<Piece>> ReadPieces(std::string_view pattern);
  bool FitsWhole(std::string_view text) const;

  bool takes_in_ = false, folders_only_ = false, of_name_ = false;
  std::optional<std::vector<Piece>> pieces_;  ///< nothing: it fits nothing
};

}  // namespace slipway::cli
