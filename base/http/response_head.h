// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/http/http.h"

namespace slipway::http {

/// How the end of a response body is told.
enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

/// What of the request and connection decides how a response is written.
struct HeadContext {
  bool is_head = false;      ///< the request was HEAD
  bool is_http_1_0 = false;  ///< the client does not know chunks
  bool close = false;        ///< the connection ends with this response
};

/// Framing of the response, whether or not its body is sent.
Framing FramingOf(const Response& response, const HeadContext& context);

/// Writes status line and header fields with the empty line behind what is in `head`. Fields that
/// frame the message are ours and replace the handler's; a name that is no token is left out,
/// control characters in a value become spaces. Source: RFC 9110 section 5, RFC 9112 section 6.
void AppendHead(const Response& response, const HeadContext& context, TimePoint now,
                std::string& head);

/// `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110 section 5.6.7.
std::string FormatHttpDate(TimePoint time);

}  // namespace slipway::http
