// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// Where libraries without an own path are looked for, as the dynamic loader would. No
/// environment variable takes part, and of a library built for several processor levels the
/// baseline one is meant.
struct LibraryPlaces {
  std::filesystem::path cache = "/etc/ld.so.cache";  ///< need not exist
  std::vector<std::filesystem::path> folders = {"/lib/x86_64-linux-gnu",
                                                "/usr/lib/x86_64-linux-gnu",
                                                "/lib/aarch64-linux-gnu",
                                                "/usr/lib/aarch64-linux-gnu",
                                                "/lib64",
                                                "/usr/lib64",
                                                "/lib",
                                                "/usr/lib"};
};

/// A program and every library it loads, directly or not.
struct Closure {
  std::uint16_t machine = 0;
  std::string interpreter;  ///< as the program names it; may be empty
  std::map<std::string, std::filesystem::path> libraries;  ///< by the name they are asked for
};

/// Follows DT_NEEDED from `program`, loader included. The program is read, never run.
/// kNotFound (id `Image.LibraryMissing`) naming the library and who needs it; kInvalidArgument
/// if a file is no usable ELF.
Result<Closure> FindClosure(const std::filesystem::path& program, const LibraryPlaces& places = {});

/// Baseline libraries in the loader's cache file, by name; several files may have one name.
/// Untrusted bytes: what does not fit the format gives no entry. Source: glibc, dl-cache.h.
std::multimap<std::string, std::filesystem::path> ReadLoaderCache(std::span<const std::byte> bytes);

}  // namespace slipway::imagebuilder
