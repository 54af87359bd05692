// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway {

/// RFC 4648 base64 with padding.
std::string EncodeBase64(std::span<const std::byte> bytes);
/// kInvalidArgument for characters outside the alphabet or a wrong length.
Result<std::string> DecodeBase64(std::string_view text);

/// RFC 3986 percent-encoding of everything but unreserved characters.
std::string EncodePercent(std::string_view text);
Result<std::string> DecodePercent(std::string_view text);

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string_view Trim(std::string_view text);
std::string ToLower(std::string_view text);
bool IsUtf8(std::string_view text);

/// `count` random bytes from the kernel as lower-case hex: tokens, ids.
std::string RandomHex(std::size_t count);

/// Compares secrets in time that does not depend on where they differ.
bool EqualSecrets(std::string_view a, std::string_view b);

}  // namespace slipway
