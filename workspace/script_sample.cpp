// SPDX-License-Identifier: Apache-2.0
#include "workspace/script_sample.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace slipway::workspace {
namespace {

constexpr double kRelative = 1e-3, kAbsolute = 1e-5;
constexpr std::size_t kShownChars = 60;

/// What a text holds, if that is an object or a list.
Json Unwrapped(const Json& json) {
  if (!json.is_string()) return json;
  const auto& text = json.get_ref<const std::string&>();
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return json;
  Result<Json> inner = ParseJson(text);
  return inner ? *std::move(inner) : json;
}

std::string Shown(const Json& json) {
  std::string text = DumpJson(json);
  if (text.size() > kShownChars) text = text.substr(0, kShownChars) + "…";
  return text;
}

bool SameNumber(const Json& want, const Json& got) {
  if (want.is_number_integer() && got.is_number_integer()) return want == got;
  const double a = want.get<double>(), b = got.get<double>();
  return std::abs(a - b) <= kAbsolute + kRelative * std::abs(a);
}

std::string Differs(const std::string& where, const Json& want, const Json& got) {
  return fmt::format("{} is {}, expected {}", where, Shown(got), Shown(want));
}

std::string Compare(const Json& wanted, const Json& found, const std::string& where);

std::string CompareLists(const Json& want, const Json& got, const std::string& where) {
  if (want.size() != got.size()) {
    return fmt::format("{} has {} items, expected {}", where, got.size(), want.size());
  }
  for (std::size_t i = 0; i < want.size(); ++i) {
    std::string why = Compare(want[i], got[i], fmt::format("{}[{}]", where, i));
    if (!why.empty()) return why;
  }
  return {};
}

std::string CompareObjects(const Json& want, const Json& got, const std::string& where) {
  for (const auto& [name, value] : want.items()) {
    const auto found = got.find(name);
    if (found == got.end()) return fmt::format("{} has no member \"{}\"", where, name);
    std::string why = Compare(value, *found, fmt::format("{}.{}", where, name));
    if (!why.empty()) return why;
  }
  return {};
}

std::string Compare(const Json& wanted, const Json& found, const std::string& where) {
  const Json want = Unwrapped(wanted), got = Unwrapped(found);
  if (want.is_object() && got.is_object()) return CompareObjects(want, got, where);
  if (want.is_array() && got.is_array()) return CompareLists(want, got, where);
  const bool same = want.is_number() && got.is_number() ? SameNumber(want, got)
                                                        : !want.is_number() && want == got;
  return same ? std::string() : Differs(where, want, got);
}

}  // namespace

std::string FirstDifference(const Json& want, const Json& got) { return Compare(want, got, "$"); }

Result<void> CheckAnswer(const std::optional<Json>& want, std::string_view body) {
  if (!want) return {};
  const Result<Json> got = ParseJson(body);
  const std::string why =
      got ? FirstDifference(*want, *got) : "the answer is no JSON: " + got.error().message;
  if (why.empty()) return {};
  return Error{.code = Code::kFailedPrecondition,
               .message = why,
               .id = "Promotion.WrongAnswer",
               .fix =
                   "correct the script or the sample's response.json; promote a version that "
                   "answers right"};
}

}  // namespace slipway::workspace
