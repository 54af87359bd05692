// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// A file that was resolved: a .deb or a wheel. Its content is known by digest.
struct LockedFile {
  std::string name = {}, version = {};
  std::string file = {};    ///< its name on the server
  std::string url = {};     ///< without credentials
  std::string digest = {};  ///< `sha256:…`
  std::int64_t size = 0;
  bool operator==(const LockedFile&) const = default;
};

/// A wheel that was built here of a source archive, as no index has one.
struct BuiltWheel {
  std::string wheel = {};              ///< digest of the wheel it gave
  LockedFile source = {};              ///< the source archive
  std::vector<LockedFile> needs = {};  ///< wheels that the build was done with, sorted by name
  bool operator==(const BuiltWheel&) const = default;
};

/// The Python of a root file system, in paths of that system.
struct PythonPlace {
  std::string version = {};      ///< `3.11.2`
  std::string interpreter = {};  ///< `/usr/bin/python3.11`, no link
  std::string loader = {};       ///< `/lib64/ld-linux-x86-64.so.2`
  std::string home = {};         ///< prefix of the standard library: `/usr`
  std::string pure = {}, platform = {}, scripts = {}, data = {};  ///< where wheels are installed
  std::vector<std::string> library_path = {};                     ///< folders the loader looks in
  bool operator==(const PythonPlace&) const = default;
};

/// Everything a Python environment is made of, by digest: the same lock gives the same layers on
/// any day and with no index at hand.
struct PythonLock {
  PythonPlace python = {};
  std::string base = {};                      ///< digest of a given base; empty: Debian packages
  std::string architecture = {};              ///< `amd64`
  std::vector<LockedFile> debian = {};        ///< sorted by name
  std::vector<LockedFile> wheels = {};        ///< sorted by name
  std::vector<BuiltWheel> built = {};         ///< how those of `wheels` came about that were built
  std::vector<std::string> provided = {};     ///< names that are not fetched: see StandInFor
  std::vector<std::string> pip_options = {};  ///< indexes the wheels were found on
  bool operator==(const PythonLock&) const = default;
};

/// JSON, sorted, one file a line.
std::string LockText(const PythonLock& lock);

/// Untrusted text. kInvalidArgument (id `Image.Lock`) naming what is wrong.
Result<PythonLock> ParseLock(std::string_view text);

}  // namespace slipway::imagebuilder
