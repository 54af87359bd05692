// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/lock.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {

/// Installs a wheel into a tree as pip would: every file checked against RECORD, `.data` folders
/// put in their places, scripts made for entry points. Untrusted bytes: kDataLoss (id
/// `Image.Wheel`) naming wheel and file. Source: PyPA, "Binary distribution format".
Result<void> InstallWheel(const std::filesystem::path& file, const PythonPlace& python,
                          TreeWriter& tree);

/// A line of RECORD.
struct RecordLine {
  std::string path, digest, size;
};
/// Source: RFC 4180, as PEP 376 uses it.
Result<std::vector<RecordLine>> ParseRecord(std::string_view text);
std::string RecordText(const std::vector<RecordLine>& lines);

/// `console_scripts` and `gui_scripts`: name -> `module:attribute`.
std::map<std::string, std::string> ParseEntryPoints(std::string_view text);

}  // namespace slipway::imagebuilder
