// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/http/http.h"

namespace slipway::http {

/// A request head as most clients write it.
struct PlainHead {
  std::size_t bytes = 0;             ///< with the empty line
  std::int64_t content_length = -1;  ///< -1 without one
};

/// Reads a head at the front of `bytes` into `request` in one go where it is all there and has
/// nothing that takes a closer look: version 1.1, a path as target, one Host, at most one length,
/// no transfer coding, no expectation, a connection that stays, printable characters. Nothing where
/// it is any other head, good or bad: RequestParser's general way tells what that is, and reads
/// heads that are plain the same. `request` is to be without fields.
std::optional<PlainHead> ReadPlainHead(std::string_view bytes, Request& request);

}  // namespace slipway::http
