// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace slipway {

/// One row of a table that CMake generates from the files of a folder: the file's stem and the
/// function it defines. Row order is alphabetical and means nothing.
template <class T>
struct Unit {
  std::string_view name;
  T (*make)();
};

/// A text file of the source tree that was put into the binary by slipway_embed().
struct EmbeddedFile {
  std::string_view name;  ///< file name without its folder
  std::string_view text;
};

}  // namespace slipway
