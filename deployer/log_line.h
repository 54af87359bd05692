// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace slipway::deployer {

/// The one line of a program's output that says why it failed: the end of its last Python
/// traceback, else the first line that speaks of an error, else the last line with anything in it.
/// At most `max_bytes` of it. Empty for an empty log. Pure.
std::string LineThatMatters(std::string_view log, std::size_t max_bytes = 500);

}  // namespace slipway::deployer
