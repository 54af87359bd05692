// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace slipway::testing {

/// A regular expression of ECMAScript: the standard library's, whose header is dear, for one file
/// to include.
class Pattern {
 public:
  /// Throws a std::exception with the reason where `text` is none.
  explicit Pattern(const std::string& text);
  ~Pattern();

  bool MatchesAll(const std::string& text) const;
  bool IsIn(const std::string& text) const;
  /// The first place that matches: all of it, then its groups. Empty if there is none.
  std::vector<std::string> Find(const std::string& text) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace slipway::testing
