// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// What the dynamic loader reads of a program or library. Source: System V ABI, chapter 5.
struct ElfFacts {
  std::uint16_t machine = 0;  ///< `e_machine`
  std::string interpreter;    ///< path of the loader; empty for a library or a static program
  std::vector<std::string> needed;
  std::string rpath;    ///< DT_RPATH, colon-separated
  std::string runpath;  ///< DT_RUNPATH
};

/// Reads untrusted bytes. kInvalidArgument unless they are a whole 64-bit little-endian ELF
/// program or shared library whose tables lie inside the file.
Result<ElfFacts> ParseElf(std::span<const std::byte> bytes);

/// The architecture's name in OCI images (`amd64`); empty for an unknown machine.
std::string_view OciArchitecture(std::uint16_t machine);

}  // namespace slipway::imagebuilder
