// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace slipway::imagebuilder {

/// What a conda package is here.
struct CondaName {
  enum class Kind : unsigned char {
    kWheel,    ///< a package for pip; `names` is its name there
    kDebian,   ///< Debian packages, separated by spaces
    kNothing,  ///< needed by conda's own toolchain alone, or part of the base already
  };
  Kind kind = Kind::kWheel;
  std::string_view names;
};

/// For a name in lower case. Nothing where pip has it under the same name.
std::optional<CondaName> FindCondaName(std::string_view name);

}  // namespace slipway::imagebuilder
