// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "base/limits.h"

namespace slipway {
namespace {

constexpr std::size_t kMessageCharsMax = 300;

Error Invalid(std::string message) {
  if (message.size() > kMessageCharsMax)
    message.replace(kMessageCharsMax, std::string::npos, "...");
  return Error{.code = Code::kInvalidArgument, .message = std::move(message), .id = "Json.Invalid"};
}

/// Builds a document from parser events; stops at the first depth or duplicate-key violation.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Put(nullptr) != nullptr; }
  bool boolean(bool value) override { return Put(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Put(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Put(value) != nullptr; }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return Put(value) != nullptr;
  }
  bool string(string_t& value) override { return Put(std::move(value)) != nullptr; }
  bool binary(binary_t& value) override { return Put(std::move(value)) != nullptr; }
  bool start_object(std::size_t /*size*/) override { return Open(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    const auto [at, fresh] = open_.back()->get_ref<Json::object_t&>().try_emplace(name, nullptr);
    if (!fresh) error_ = fmt::format("invalid JSON: member '{}' comes twice in one object", name);
    member_ = &at->second;
    return fresh;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& cause) override {
    std::string_view what = cause.what();
    if (const std::size_t end = what.find("] "); end != std::string_view::npos) {
      what.remove_prefix(end + 2);
    }
    constexpr std::string_view kAgain = "parse error";
    if (what.starts_with(kAgain)) what.remove_prefix(kAgain.size());
    error_ = fmt::format("invalid JSON{}{}", what.starts_with(' ') ? "" : ": ", what);
    return false;
  }

  Json TakeRoot() { return std::move(root_); }
  std::string TakeError() { return std::move(error_); }

 private:
  template <class T>
  Json* Put(T&& value) {
    if (open_.empty()) {
      root_ = std::forward<T>(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      return &open_.back()->get_ref<Json::array_t&>().emplace_back(std::forward<T>(value));
    }
    *member_ = std::forward<T>(value);
    return member_;
  }

  bool Open(Json container) {
    if (std::cmp_greater_equal(open_.size(), limits::kJsonDepth)) {
      error_ = fmt::format("invalid JSON: nested deeper than {}", limits::kJsonDepth);
      return false;
    }
    open_.push_back(Put(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;
  std::string error_;
};

std::string_view TypeName(const Json& json) { return json.type_name(); }

/// The member, or null where it is absent.
const Json* Find(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

Result<const Json*> Require(const Json& object, std::string_view name) {
  if (!object.is_object()) {
    return Invalid(
        fmt::format("expected an object with member '{}', not {}", name, TypeName(object)));
  }
  const Json* member = Find(object, name);
  if (member == nullptr) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("member '{}' is missing", name),
                 .id = "Json.MissingField"};
  }
  return member;
}

Error WrongType(std::string_view name, std::string_view wanted, const Json& got) {
  return Error{
      .code = Code::kInvalidArgument,
      .message = fmt::format("member '{}' must be {}, not {}", name, wanted, TypeName(got)),
      .id = "Json.WrongType"};
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::vector<std::size_t> next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t swap_cost = a[i] == b[j] ? 0 : 1;
      next[j + 1] = std::min({row[j] + swap_cost, row[j + 1] + 1, next[j] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
        next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
      }
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (std::cmp_greater(text.size(), limits::kJsonBytes)) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("JSON text has {} bytes, the limit is {}", text.size(),
                                        limits::kJsonBytes),
                 .id = "Json.TooLarge"};
  }
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return Invalid(builder.TakeError());
  return builder.TakeRoot();
}

std::string DumpJson(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string DumpOrderedJson(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<void> OnlyKnownFields(const Json& json, std::initializer_list<std::string_view> known) {
  if (!json.is_object()) {
    return Invalid(fmt::format("expected an object, not {}", TypeName(json)));
  }
  for (const auto& [name, value] : json.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = Nearest(name, known);
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("unknown member '{}'", name.substr(0, kMessageCharsMax)),
                 .id = "Json.UnknownField",
                 .fix = nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)};
  }
  return {};
}

Result<std::string> GetString(const Json& object, std::string_view name) {
  const Json* member = TRY(Require(object, name));
  if (!member->is_string()) return WrongType(name, "a string", *member);
  return member->get<std::string>();
}

Result<std::string> GetStringOr(const Json& object, std::string_view name, std::string fallback) {
  const Json* member = Find(object, name);
  if (member == nullptr || member->is_null()) return fallback;
  return GetString(object, name);
}

Result<std::int64_t> GetInt(const Json& object, std::string_view name) {
  const Json* member = TRY(Require(object, name));
  if (!member->is_number_integer()) return WrongType(name, "an integer", *member);
  if (member->is_number_unsigned() && !std::in_range<std::int64_t>(member->get<std::uint64_t>())) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("member '{}' is out of range: {}", name,
                                        member->get<std::uint64_t>()),
                 .id = "Json.OutOfRange"};
  }
  return member->get<std::int64_t>();
}

Result<std::int64_t> GetIntOr(const Json& object, std::string_view name, std::int64_t fallback) {
  const Json* member = Find(object, name);
  if (member == nullptr || member->is_null()) return fallback;
  return GetInt(object, name);
}

Result<bool> GetBoolOr(const Json& object, std::string_view name, bool fallback) {
  const Json* member = Find(object, name);
  if (member == nullptr || member->is_null()) return fallback;
  if (!member->is_boolean()) return WrongType(name, "a boolean", *member);
  return member->get<bool>();
}

std::string Nearest(std::string_view word, std::initializer_list<std::string_view> known) {
  return Nearest(word, std::span(known.begin(), known.size()));
}

std::string Nearest(std::string_view word, std::span<const std::string_view> known) {
  if (std::cmp_greater(word.size(), limits::kNameChars)) return {};
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = candidate;
    }
  }
  return std::string(nearest);
}

}  // namespace slipway
