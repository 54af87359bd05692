// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// What an image has in place of a package that is not fetched unless it is kept.
enum class StandIn : std::uint8_t {
  kNone,     ///< it is fetched like any other
  kModule,   ///< a module of Slipway's
  kNothing,  ///< nothing: it is closed, and no module of Slipway's does what it does
};
/// By the package's name, in any spelling.
StandIn StandInFor(std::string_view name);

/// Names of the packages that modules of Slipway's stand in for, sorted.
std::vector<std::string> StandInNames();

/// What Slipway's module asks pip for, as the package in its place would.
std::vector<std::string> NeedsOfStandIn(std::string_view name);

/// Writes into `folder` the program that runs pip so that it finds empty wheels where packages are
/// asked for that are not fetched; says the words that start it after the interpreter. `kept`:
/// names that are fetched nevertheless.
Result<std::vector<std::string>> WriteStandInPip(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& kept);

/// The program that runs pip, or a program that uses pip, on any Python.
inline constexpr std::string_view kPipStart = "pip_start.py";

/// Writes one of the programs that use pip into `folder`; says where it is.
Result<std::string> WriteDriver(std::string_view name, const std::filesystem::path& folder);

/// Whether pip's report names a wheel that stands in for a package, by its URL.
bool IsStandInUrl(std::string_view url, const std::filesystem::path& folder);

}  // namespace slipway::imagebuilder
