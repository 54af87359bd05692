// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pattern.h"

#include <regex>

namespace slipway::testing {

struct Pattern::State {
  std::regex regex;
};

Pattern::Pattern(const std::string& text)
    : state_(std::make_unique<State>(State{std::regex(text)})) {}

Pattern::~Pattern() = default;

bool Pattern::MatchesAll(const std::string& text) const {
  return std::regex_match(text, state_->regex);
}

bool Pattern::IsIn(const std::string& text) const { return std::regex_search(text, state_->regex); }

std::vector<std::string> Pattern::Find(const std::string& text) const {
  std::smatch match;
  if (!std::regex_search(text, match, state_->regex)) return {};
  return {match.begin(), match.end()};
}

}  // namespace slipway::testing
