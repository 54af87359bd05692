// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// A name in the one form in which two spellings are compared: lower case, runs of `-_.` are one
/// dash. Source: PEP 503.
std::string NormalName(std::string_view name);

/// What pip is asked for.
struct Requirement {
  std::string name;       ///< as written; empty for a URL without a name
  std::string extras;     ///< `[a,b]` or empty
  std::string specifier;  ///< `>=1,<2`, or empty
  std::string url;        ///< what follows `@`, or a bare URL
  std::string marker;     ///< what follows `;`
  std::string text() const;
};

/// One line of a requirements file that is no option. kInvalidArgument saying what is wrong.
/// Source: PEP 508.
Result<Requirement> ParseRequirement(std::string_view line);

/// A conda package specification: `numpy`, `numpy=1.16`, `conda-forge::numpy>=1,<2`,
/// `numpy 1.16.* py36_0`. Source: conda, "Package match specifications".
struct CondaSpec {
  std::string channel, name;
  std::string version;  ///< as conda writes it: `1.16`, `=1.16`, `==1.16.2`, `>=1,<2`
  std::string build;
};
Result<CondaSpec> ParseCondaSpec(std::string_view text);

/// The version part as pip says it: conda's `=1.16` is `==1.16.*`. kInvalidArgument for what pip
/// cannot say (alternatives with `|`).
Result<std::string> PipSpecifier(const CondaSpec& spec);

/// Whether `version` satisfies a specifier such as `>=3.6,<4` or `==3.6.*`; no specifier, any
/// version. Only releases of numbers are compared. Source: PEP 440.
Result<bool> Satisfies(std::string_view version, std::string_view specifier);

}  // namespace slipway::imagebuilder
