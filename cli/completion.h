// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace slipway::cli {

/// A script for `bash`, `zsh` or `fish`, made of the table of commands and their options.
std::string CompletionScript(std::string_view shell);

}  // namespace slipway::cli
