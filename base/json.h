// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Parses untrusted text: kInvalidArgument with position and cause; nesting deeper than
/// `limits::kJsonDepth` is refused before it can use up the stack, a member that comes twice in one
/// object too. kResourceExhausted for more than `limits::kJsonBytes`.
Result<Json> ParseJson(std::string_view text);

/// Text with sorted keys, compact or with `indent` blanks a level; invalid UTF-8 in strings becomes
/// U+FFFD.
std::string DumpJson(const Json& json, int indent = -1);
/// The same with the keys in the order they were given in.
std::string DumpOrderedJson(const OrderedJson& json, int indent = -1);

/// kInvalidArgument naming the first member of object `json` that is none of `known`, with the
/// nearest known one; also if `json` is no object.
Result<void> OnlyKnownFields(const Json& json, std::initializer_list<std::string_view> known);

/// Members of an object, checked: kInvalidArgument naming the member when it is absent or has
/// another type. The `...Or` forms give `fallback` where it is absent or null.
Result<std::string> GetString(const Json& object, std::string_view name);
Result<std::string> GetStringOr(const Json& object, std::string_view name, std::string fallback);
Result<std::int64_t> GetInt(const Json& object, std::string_view name);
Result<std::int64_t> GetIntOr(const Json& object, std::string_view name, std::int64_t fallback);
Result<bool> GetBoolOr(const Json& object, std::string_view name, bool fallback);

/// The one of `known` that a typing error would most likely have meant; empty if none is near.
std::string Nearest(std::string_view word, std::initializer_list<std::string_view> known);
std::string Nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace slipway
